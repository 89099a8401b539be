package store

import (
	"encoding/binary"
	"fmt"

	"chatnode/internal/chat"
)

// appendOutcomes encodes an origin's outcomes, which follow one another up to the one of its Last: of each its code, its time after the one
// before, where the code is OK its seq, and where that is not 0 its id; numbers as variable-length integers (encoding/binary).
func appendOutcomes(b []byte, outcomes []Outcome) []byte {
	before := int64(0)
	for i := range outcomes {
		o := &outcomes[i]
		b = binary.AppendUvarint(b, uint64(o.Code))
		b = binary.AppendVarint(b, o.Time-before)
		before = o.Time
		if o.Code != chat.OK {
			continue
		}
		b = binary.AppendUvarint(b, o.Seq)
		if o.Seq > 0 {
			b = append(b, o.ID[:]...)
		}
	}
	return b
}

// parseOutcomes decodes what appendOutcomes wrote. Its error wraps ErrDamaged.
func parseOutcomes(b []byte, last uint64) (outcomes []Outcome, err error) {
	d := outcomeDecoder{rest: b}
	for len(d.rest) > 0 && !d.bad {
		outcomes = append(outcomes, d.next())
	}
	if d.bad || uint64(len(outcomes)) > last {
		return nil, fmt.Errorf("%w (the outcomes of %d publishes)", ErrDamaged, last)
	}
	for i := range outcomes {
		outcomes[i].CSeq = last - uint64(len(outcomes)-1-i)
	}
	return outcomes, nil
}

// outcomeDecoder takes outcomes apart. Once bad is set, what it returns means nothing.
type outcomeDecoder struct {
	rest   []byte
	before int64
	bad    bool
}

func (d *outcomeDecoder) next() (o Outcome) {
	code := d.uvarint()
	o.Code = chat.Code(code)
	o.Time = d.before + d.varint()
	d.before = o.Time
	if o.Code == chat.OK {
		o.Seq = d.uvarint()
	}
	if o.Seq > 0 {
		n := copy(o.ID[:], d.rest)
		d.rest = d.rest[n:]
		d.bad = d.bad || n < len(o.ID)
	}
	d.bad = d.bad || uint64(o.Code) != code
	return o
}

func (d *outcomeDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *outcomeDecoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *outcomeDecoder) skip(n int) {
	if n <= 0 {
		d.bad, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}
