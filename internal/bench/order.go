package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// order holds what one reader received to its sequence: from each source the numbers 1, 2, 3, …, each once. Of chatnode the one source is
// the room; the floor numbers nothing, so there each sender is a source.
type order struct{ last []uint64 }

// faultError is a message that was lost, repeated or out of order.
type faultError struct{ text string }

func (e *faultError) Error() string { return e.text }

// saw notes the next number of a source. It returns a *faultError when that does not follow the last one.
func (o *order) saw(source int, n uint64) error {
	if source < len(o.last) && n == o.last[source]+1 {
		o.last[source] = n
		return nil
	}
	return o.fault(source, n)
}

// fault says what is wrong with a number that is not the next.
func (o *order) fault(source int, n uint64) error {
	if source >= len(o.last) {
		return &faultError{fmt.Sprintf("message %d is of sender %d, and there are only %d", n, source, len(o.last))}
	}
	switch last := o.last[source]; {
	case n == last:
		return &faultError{fmt.Sprintf("message %d came twice", n)}
	case n < last:
		return &faultError{fmt.Sprintf("message %d came after %d: repeated or out of order", n, last)}
	default:
		return &faultError{fmt.Sprintf("message %d came after %d: %d between them lost or out of order", n, last, n-last-1)}
	}
}

// maxRecord is the largest record that either side sends, its length included.
const maxRecord = 64<<10 + lengthSize

// lengthSize is the size of the length before each record, on either side.
const lengthSize = 4

var errRecordSize = errors.New("a record has an impossible length")

// records takes a byte stream apart, however it is cut.
type records struct {
	part []byte // the beginning of a record that is not whole yet
}

// feed calls each for every record that chunk completes, its length included. The slice is valid during the call alone.
func (r *records) feed(chunk []byte, each func(record []byte) error) error {
	if len(r.part) > 0 {
		var err error
		if chunk, err = r.complete(chunk, each); err != nil || len(r.part) > 0 {
			return err
		}
	}
	for len(chunk) >= lengthSize {
		n := lengthSize + int(binary.BigEndian.Uint32(chunk))
		if n > maxRecord {
			return errRecordSize
		}
		if n > len(chunk) {
			break
		}
		if err := each(chunk[:n]); err != nil {
			return err
		}
		chunk = chunk[n:]
	}
	r.part = append(r.part, chunk...)
	return nil
}

// complete moves as much of chunk as it takes to make the part whole, and returns the rest.
func (r *records) complete(chunk []byte, each func([]byte) error) (rest []byte, err error) {
	n := min(max(lengthSize-len(r.part), 0), len(chunk))
	r.part, chunk = append(r.part, chunk[:n]...), chunk[n:]
	if len(r.part) < lengthSize {
		return nil, nil
	}
	size := lengthSize + int(binary.BigEndian.Uint32(r.part))
	if size > maxRecord {
		return nil, errRecordSize
	}
	n = min(size-len(r.part), len(chunk))
	r.part, chunk = append(r.part, chunk[:n]...), chunk[n:]
	if len(r.part) < size {
		return nil, nil
	}
	err = each(r.part)
	r.part = r.part[:0]
	return chunk, err
}

// stampSize is the size of the time that each text begins with, in hexadecimal digits: a text has to be UTF-8.
const stampSize = 16

const hexDigits = "0123456789abcdef"

// putStamp writes v over the first stampSize bytes of b.
func putStamp(b []byte, v uint64) {
	for i := stampSize - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

// stampOf reads what putStamp wrote; ok is false where there is nothing like it.
func stampOf(b []byte) (v uint64, ok bool) {
	if len(b) < stampSize {
		return 0, false
	}
	for _, c := range b[:stampSize] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
