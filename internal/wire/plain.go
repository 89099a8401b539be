package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"chatnode/internal/chat"
)

// For each message a node decodes a Pub and encodes an Event and an Ack. Nearly all of them are plain: nothing in their Opts, nothing unusual. Those are encoded
// and decoded here, by hand, in a fraction of the time that reflection takes. All others, and whatever is wrong with one, are left to the library, so that there
// is one judge of what is malformed; TestPlain and FuzzDecode hold the two to the same results. Who reads many decodes by a Slab.

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

// Slab decodes many records of short lives: what a plain Pub is made of stands together with that of others, and goes when all of them have. It is for one
// goroutine at a time.
type Slab struct {
	pubs []Pub
	text []byte
	room string // of the last Pub: most say the same one again and again
}

// Sizes of a Slab's pieces: small, so that one record that stays does not hold much.
const (
	slabPubs  = 16
	slabText  = 4 << 10
	slabLarge = slabText / 8
)

// Decode is the package's Decode.
func (s *Slab) Decode(item []byte) (Record, error) {
	cseq, room, kind, body := cutPub(item)
	if room == nil {
		return Decode(item)
	}
	if string(room) != s.room {
		s.room = string(room)
	}
	if len(s.pubs) == cap(s.pubs) {
		s.pubs = make([]Pub, 0, slabPubs)
	}
	s.pubs = append(s.pubs, Pub{Type: TypePub, CSeq: cseq, Room: s.room, Kind: kind, Body: s.clone(body)})
	return &s.pubs[len(s.pubs)-1], nil
}

// clone copies b, to the others where it is small.
func (s *Slab) clone(b []byte) []byte {
	if len(b) > slabLarge {
		return bytes.Clone(b)
	}
	if cap(s.text)-len(s.text) <= len(b) { // also for the first, so that an empty one is not nil
		s.text = make([]byte, 0, slabText)
	}
	from := len(s.text)
	s.text = append(s.text, b...)
	return s.text[from:len(s.text):len(s.text)]
}

// cutPub takes a plain Pub apart; room is nil for anything else.
func cutPub(item []byte) (cseq uint64, room []byte, kind chat.Kind, body []byte) {
	const start, end = "\x86\x08", "\xa0" // six elements, TypePub … no Opts
	rest, ok := bytes.CutPrefix(item, []byte(start))
	if !ok {
		return 0, nil, 0, nil
	}
	cseq, size := unsigned(rest)
	rest = rest[size:]
	room, rest = cutItem(rest, majorText)
	if size == 0 || room == nil || !utf8.Valid(room) {
		return 0, nil, 0, nil
	}
	k, size := unsigned(rest)
	rest = rest[size:]
	body, rest = cutItem(rest, majorBytes)
	if size == 0 || k > 255 || body == nil || string(rest) != end {
		return 0, nil, 0, nil
	}
	return cseq, room, chat.Kind(k), body
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
