package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"chatnode/internal/chat"
)

// For each message a node decodes a Pub and encodes an Event and an Ack. Nearly all of them are plain: nothing in their Opts, nothing unusual. Those are encoded
// and decoded here, by hand, in a fraction of the time that reflection takes. All others, and whatever is wrong with one, are left to the library, so that there
// is one judge of what is malformed; TestPlain and FuzzDecode hold the two to the same results.

// plain is a record with a form that can be encoded by hand.
type plain interface {
	// appendPlain appends the record without its length, and reports false where it is not plain.
	appendPlain(dst []byte) ([]byte, bool)
}

func (r *Event) appendPlain(dst []byte) ([]byte, bool) {
	if r.Time < 0 || !r.Opts.isZero() {
		return dst, false
	}
	dst = append(dst, majorArray<<5|11)
	for _, n := range [...]uint64{uint64(r.Type), r.Room, r.Seq, r.From, r.CSeq, uint64(r.Time)} {
		dst = appendHead(dst, 0, n)
	}
	dst = appendHead(dst, majorText, uint64(len(r.Name)))
	dst = append(dst, r.Name...)
	dst = appendHead(dst, 0, uint64(r.Kind))
	dst = appendBytes(dst, r.Body)
	dst = appendBytes(dst, r.ID[:])
	return append(dst, majorMap<<5), true
}

func (r *Ack) appendPlain(dst []byte) ([]byte, bool) {
	if r.Time < 0 {
		return dst, false
	}
	dst = append(dst, majorArray<<5|5)
	for _, n := range [...]uint64{uint64(r.Type), r.CSeq, r.Seq} {
		dst = appendHead(dst, 0, n)
	}
	dst = appendBytes(dst, r.ID[:])
	return appendHead(dst, 0, uint64(r.Time)), true
}

// isZero reports whether there is nothing to encode.
func (o *Opts) isZero() bool {
	return len(o.Re)+len(o.Sig)+len(o.Gone) == 0 && o.As == nil && o.Row == 0 && o.At == 0 && !o.Forked
}

// appendHead appends the head of an item in its shortest form.
func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

// plainPub decodes a plain Pub; nil for anything else.
func plainPub(item []byte) *Pub {
	const start, end = "\x86\x08", "\xa0" // six elements, TypePub … no Opts
	rest, ok := bytes.CutPrefix(item, []byte(start))
	if !ok {
		return nil
	}
	cseq, size := unsigned(rest)
	rest = rest[size:]
	room, rest := cutItem(rest, majorText)
	if size == 0 || room == nil || !utf8.Valid(room) {
		return nil
	}
	kind, size := unsigned(rest)
	rest = rest[size:]
	body, rest := cutItem(rest, majorBytes)
	if size == 0 || kind > 255 || body == nil || string(rest) != end {
		return nil
	}
	return &Pub{Type: TypePub, CSeq: cseq, Room: string(room), Kind: chat.Kind(kind), Body: bytes.Clone(body)}
}

// cutItem returns what is in the byte or text string at the front of b, and what stands behind it; nil where there is none.
func cutItem(b []byte, major byte) (content, rest []byte) {
	if len(b) == 0 || b[0]>>5 != major {
		return nil, nil
	}
	n, size := argument(b)
	if size == 0 || n > uint64(len(b)-size) {
		return nil, nil
	}
	end := size + int(n)
	return b[size:end:end], b[end:]
}
