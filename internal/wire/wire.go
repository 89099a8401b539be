// Package wire is the protocol's vocabulary: the records of the control, the chat and the peer stream, and their codec. It knows nothing of
// connections; docs/protocol.md is the specification, testdata/wire holds a vector of each type.
//
// A record is a 4-byte big-endian length and that many bytes: one CBOR item (RFC 8949, core deterministic encoding), an array whose
// first element is the record's type. Elements beyond those known are ignored; missing ones count as zero.
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

const (
	// MaxRecord is the largest record, in bytes, without its length.
	MaxRecord = 64 << 10
	// HeaderLen is the size of the length that stands before each record.
	HeaderLen = 4
	// maxElements bounds each array, so that a record of 64 KiB can't ask for megabytes.
	maxElements = 2048
)

var (
	// ErrTooLarge says that a record is longer than MaxRecord, or empty.
	ErrTooLarge = errors.New("record is empty or longer than 64 KiB")
	// ErrMalformed says that a record is not what its type asks for.
	ErrMalformed = errors.New("malformed record")
)

// Raw is one CBOR item, already encoded.
type Raw = cbor.RawMessage

var encMode, decMode = modes()

func modes() (cbor.UserBufferEncMode, cbor.DecMode) {
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty // one spelling of "none": a reader in any language finds the type it expects
	enc, err := options.UserBufferEncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := cbor.DecOptions{
		MaxArrayElements: maxElements,
		MaxMapPairs:      16,
		MaxNestedLevels:  6, // a room of a person of a node: PeerPeople
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		NaN:              cbor.NaNDecodeForbidden,
		Inf:              cbor.InfDecodeForbidden,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Append encodes r, length first, behind dst. It returns ErrTooLarge, and dst as it was, for a record that does not fit.
func Append(dst []byte, r Record) ([]byte, error) {
	r.stamp()
	if p, ok := r.(plain); ok {
		if out, ok := p.appendPlain(append(dst, make([]byte, HeaderLen)...)); ok && len(out)-len(dst)-HeaderLen <= MaxRecord {
			binary.BigEndian.PutUint32(out[len(dst):], uint32(len(out)-len(dst)-HeaderLen))
			return out, nil
		}
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if err := encMode.MarshalToBuffer(r, buf); err != nil {
		return dst, fmt.Errorf("encode %T: %w", r, err)
	}
	if buf.Len() > MaxRecord {
		return dst, fmt.Errorf("encode %T: %w", r, ErrTooLarge)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(buf.Len()))
	return append(dst, buf.Bytes()...), nil
}

// Must is Append for a record whose size is bounded by its fields; it panics where Append would fail.
func Must(dst []byte, r Record) []byte {
	dst, err := Append(dst, r)
	if err != nil {
		panic("wire: " + err.Error())
	}
	return dst
}

// EncodeRaw encodes one item that will be part of a record.
func EncodeRaw(v any) Raw {
	raw, err := encMode.Marshal(v)
	if err != nil {
		panic("wire: " + err.Error()) // the callers' types are this package's own
	}
	return raw
}

// DecodeRoomPresence decodes an element of Presence.Rooms.
func DecodeRoomPresence(raw Raw) (RoomPresence, error) {
	var p RoomPresence
	if err := decodeArray(raw, &p, presenceShape); err != nil {
		return RoomPresence{}, err
	}
	return p, nil
}

// DecodeEvent decodes an element of HistoryIs.Events or SearchIs.Events. It returns an error that wraps ErrMalformed for anything else.
func DecodeEvent(raw Raw) (*Event, error) {
	r, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	e, ok := r.(*Event)
	if !ok {
		return nil, fmt.Errorf("%w: %T in place of an event", ErrMalformed, r)
	}
	return e, nil
}

// EventTime returns Event.Time of an encoded event, its length in front, without decoding the rest; 0 for anything else.
func EventTime(record []byte) int64 {
	if len(record) <= HeaderLen {
		return 0
	}
	item := record[HeaderLen:]
	_, head, err := arrayHead(item)
	if t, typeErr := Type(item); err != nil || typeErr != nil || t != TypeEvent {
		return 0
	}
	const before = 5 // numbers: type, room, seq, from, cseq
	number := uint64(0)
	for range before + 1 {
		n, size := unsigned(item[head:])
		if size == 0 {
			return 0
		}
		number, head = n, head+size
	}
	return int64(number)
}

// unsigned returns the unsigned integer at the front of b and its size; 0 for anything else.
func unsigned(b []byte) (n uint64, size int) {
	if len(b) == 0 || b[0]>>5 != 0 {
		return 0, 0
	}
	return argument(b)
}

// argument returns the argument of the head at the front of b, which is not empty, and the size of that head; 0 for one that is cut off, or has none.
func argument(b []byte) (n uint64, size int) {
	switch info := b[0] & 31; {
	case info < 24:
		return uint64(info), 1
	case info == 24 && len(b) >= 2:
		return uint64(b[1]), 2
	case info == 25 && len(b) >= 3:
		return uint64(binary.BigEndian.Uint16(b[1:])), 3
	case info == 26 && len(b) >= 5:
		return uint64(binary.BigEndian.Uint32(b[1:])), 5
	case info == 27 && len(b) >= 9:
		return binary.BigEndian.Uint64(b[1:]), 9
	}
	return 0, 0
}

// Type returns the type of an encoded record without its length, or an error that wraps ErrMalformed.
func Type(item []byte) (uint8, error) {
	_, head, err := arrayHead(item)
	if err != nil {
		return 0, err
	}
	switch first := item[head:]; {
	case len(first) > 0 && first[0] < 24:
		return first[0], nil
	case len(first) > 1 && first[0] == 24:
		return first[1], nil
	}
	return 0, fmt.Errorf("%w: its first element is no type", ErrMalformed)
}

// IsQuestion reports whether an encoded record is of a type that is kept for questions, so that whoever asks waits for an answer, if only
// that the type is not known.
func IsQuestion(item []byte) bool {
	t, err := Type(item)
	return err == nil && t >= firstQuestion && t <= lastQuestion && t%2 == 0
}

// arrayHead returns the number of elements that the array in item announces, and the size of its head.
func arrayHead(item []byte) (elements, size int, err error) {
	switch {
	case len(item) > 1 && item[0] > 0x80 && item[0] < 0x98:
		return int(item[0] - 0x80), 1, nil
	case len(item) > 2 && item[0] == 0x98 && item[1] > 0:
		return int(item[1]), 2, nil
	}
	return 0, 0, fmt.Errorf("%w: not an array of 1 to 255 elements", ErrMalformed)
}

// Decode decodes one record without its length. It returns nil and no error for a type that is not known, an error that wraps
// ErrMalformed for what is not a record. The record holds no reference to item.
func Decode(item []byte) (Record, error) {
	t, err := Type(item)
	if err != nil {
		return nil, err
	}
	maker, known := makers[t]
	if !known {
		return nil, nil
	}
	r := maker()
	if err := decodeArray(item, r, shapes[t]); err != nil {
		return nil, err
	}
	if r, ok := r.(checker); ok {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// decodeArray decodes an array into a struct of as many fields, after cutting or filling the array to that number.
func decodeArray(item []byte, v any, s *shape) error {
	have, _, err := arrayHead(item)
	if err != nil {
		return err
	}
	want := reflect.TypeOf(v).Elem().NumField() - 1 // without the blank one that carries the toarray tag
	if have != want {
		if item, err = resize(item, want); err != nil {
			return err
		}
	}
	if err := decMode.Unmarshal(item, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if s != nil && !s.fits(item) {
		return fmt.Errorf("%w: bytes of a wrong kind or length", ErrMalformed)
	}
	return nil
}

// resize returns the array in item with exactly want elements: later ones cut off, missing ones null, which decodes as zero.
func resize(item []byte, want int) ([]byte, error) {
	var elements []Raw
	if err := decMode.Unmarshal(item, &elements); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for len(elements) < want {
		elements = append(elements, Raw{0xf6})
	}
	return encMode.Marshal(elements[:want])
}

// Sizes of a Reader's buffer: small while little comes, so that an idle connection costs little; larger while much does.
const (
	minBuffer = 512
	maxBuffer = 32 << 10
)

// lent are buffers of maxBuffer bytes, for Readers that have something to read: of a thousand connections few do at a time.
var lent = sync.Pool{New: func() any { b := make([]byte, maxBuffer); return &b }}

// Reader takes the records of a stream apart. Whoever may wait for the stream calls Next; who may not calls More when the stream has something, Next while a
// record is Buffered, and then Release.
type Reader struct {
	r    io.Reader
	buf  []byte
	off  int     // first byte not yet handed out
	end  int     // end of what was read
	loan *[]byte // buf, where it is one of those that are lent
}

// NewReader returns a Reader of the records in r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next record without its length; it is valid until the next call. It returns io.EOF at the end of the stream between
// records, io.ErrUnexpectedEOF inside one, ErrTooLarge before any memory is taken for a record of a wrong size.
func (r *Reader) Next() ([]byte, error) {
	if err := r.fill(HeaderLen); err != nil {
		return nil, err
	}
	size := r.size()
	if size == 0 || size > MaxRecord {
		return nil, ErrTooLarge
	}
	if err := r.fill(HeaderLen + size); err != nil {
		return nil, err
	}
	item := r.buf[r.off+HeaderLen : r.off+HeaderLen+size]
	r.off += HeaderLen + size
	return item, nil
}

// Buffered reports whether Next will not wait: a whole record is there already, or one of a wrong size has begun.
func (r *Reader) Buffered() bool {
	have := r.end - r.off
	if have < HeaderLen {
		return false
	}
	size := r.size()
	return size > MaxRecord || have-HeaderLen >= size
}

// size returns the size of the record of which the length is there, MaxRecord+1 for one that is too large.
func (r *Reader) size() int { return int(min(binary.BigEndian.Uint32(r.buf[r.off:]), MaxRecord+1)) }

// More reads once, while no record is Buffered. Its errors are those of Next.
func (r *Reader) More() error {
	left := r.end - r.off
	if left >= maxBuffer {
		return r.read(HeaderLen + r.size())
	}
	if r.loan == nil && r.end == len(r.buf) {
		r.loan = lent.Get().(*[]byte)
		copy(*r.loan, r.buf[r.off:r.end])
		r.buf, r.off, r.end = *r.loan, 0, left
	}
	return r.read(left + 1)
}

// Release gives back what memory it can while there is nothing to read.
func (r *Reader) Release() {
	left := r.end - r.off
	var own []byte
	switch {
	case left > 0 && r.loan == nil:
		return
	case left > 0: // room for as much again: a record that comes byte by byte is not copied for each
		own = make([]byte, max(minBuffer, 2*left))
		copy(own, r.buf[r.off:r.end])
	}
	r.giveBack()
	r.buf, r.off, r.end = own, 0, left
}

// giveBack ends a loan. buf is of no use then.
func (r *Reader) giveBack() {
	if r.loan != nil {
		lent.Put(r.loan)
		r.loan = nil
	}
}

// fill reads until n bytes are there.
func (r *Reader) fill(n int) error {
	for r.end-r.off < n {
		if err := r.read(n); err != nil {
			return err
		}
	}
	return nil
}

// read reads once, where n bytes are wanted in all.
func (r *Reader) read(n int) error {
	r.makeRoom(n)
	got, err := r.r.Read(r.buf[r.end:])
	r.end += got
	switch {
	case err == nil || r.end-r.off >= n:
		return nil
	case err == io.EOF && r.end > r.off:
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom sees to it that n bytes fit behind off and that there is room to read into. The buffer grows while reads fill it, and is
// exchanged for a small one when nothing is left in it and the last read was small.
func (r *Reader) makeRoom(n int) {
	left, size := r.end-r.off, len(r.buf)
	switch {
	case left == 0 && size > minBuffer && r.end < size/4 && r.loan == nil:
		size = minBuffer
	case left > 0 && r.end < size && size-r.off >= n:
		return
	case r.end == size && size > 0:
		size = min(2*size, maxBuffer)
	}
	size = max(size, minBuffer, n)
	if size != len(r.buf) {
		grown := make([]byte, size)
		copy(grown, r.buf[r.off:r.end])
		r.giveBack()
		r.buf = grown
	} else {
		copy(r.buf, r.buf[r.off:r.end])
	}
	r.off, r.end = 0, left
}
