package frame

import "encoding/binary"

// The wire format is that of the yamux specification, version 0
// (github.com/hashicorp/yamux, spec.md): version, type, flags, stream id and
// length, big-endian.
const (
	version    = 0
	headerSize = 12

	typeData   = 0
	typeWindow = 1
	typePing   = 2
	typeGoAway = 3

	flagSYN = 1 << 0
	flagFIN = 1 << 2
	flagRST = 1 << 3

	// initialWindow is what either side may send on a new stream before the
	// first grant, fixed by the specification.
	initialWindow = 256 << 10
)

// header is one frame's fixed part, as it stands on the wire.
type header [headerSize]byte

func (h *header) encode(kind byte, flags uint16, id, length uint32) {
	h[0] = version
	h[1] = kind
	binary.BigEndian.PutUint16(h[2:], flags)
	binary.BigEndian.PutUint32(h[4:], id)
	binary.BigEndian.PutUint32(h[8:], length)
}

func (h *header) version() byte  { return h[0] }
func (h *header) kind() byte     { return h[1] }
func (h *header) flags() uint16  { return binary.BigEndian.Uint16(h[2:]) }
func (h *header) id() uint32     { return binary.BigEndian.Uint32(h[4:]) }
func (h *header) length() uint32 { return binary.BigEndian.Uint32(h[8:]) }

// body is the number of bytes that follow the header: only data frames have
// any, the other types use the length field as a value.
func (h *header) body() uint32 {
	if h.kind() == typeData {
		return h.length()
	}
	return 0
}
