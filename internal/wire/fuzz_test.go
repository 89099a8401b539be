package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: what decodes can be encoded, that is what the second decoder reads as well, and it decodes to the same again.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(Must(nil, s.record)[HeaderLen:])
	}
	f.Add([]byte{0x81, 0x18, 0xff})
	f.Add([]byte{0x9f, 0x0b, 0xff})
	f.Fuzz(func(t *testing.T, item []byte) {
		if len(item) > MaxRecord {
			return
		}
		first, err := Decode(item)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("error %v, which is not ErrMalformed", err)
		}
		if first == nil {
			return
		}
		encoded, err := Append(nil, first)
		if errors.Is(err, ErrTooLarge) {
			return // nulls become longer zeros
		} else if err != nil {
			t.Fatal(err)
		}
		if _, rest, err := readItem(encoded[HeaderLen:]); (err != nil || len(rest) > 0) && !hasRaw(first) {
			t.Fatalf("the second decoder: %v", err)
		}
		second, err := Decode(encoded[HeaderLen:])
		if err != nil {
			t.Fatalf("what was decoded and encoded does not decode: %v\n%x", err, encoded)
		}
		if again := Must(nil, second); !bytes.Equal(again, encoded) {
			t.Fatalf("encodes to\n%x\nfirst, then to\n%x", encoded, again)
		}
	})
}

// hasRaw reports whether r carries items that were encoded by its sender, in a spelling of the sender's.
func hasRaw(r Record) bool {
	switch r.(type) {
	case *Presence, *HistoryIs, *SearchIs:
		return true
	}
	return false
}

// FuzzReader: however a stream is cut, a Reader finds the same records and ends with the same error.
func FuzzReader(f *testing.F) {
	whole, _ := stream(3, 1, 600)
	f.Add(whole, uint8(7))
	f.Add(whole[:len(whole)-1], uint8(1))
	f.Add([]byte{0, 0, 0, 0}, uint8(3))
	f.Add([]byte{0xff, 0, 0, 0, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		want, wantErr := readAll(NewReader(bytes.NewReader(data)))
		for _, r := range []io.Reader{
			&chunks{data, max(1, int(size)), size%2 == 0}, iotest.HalfReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data)),
		} {
			reader := NewReader(r)
			got, err := readAll(reader)
			if err != wantErr || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("error %v, want %v; mismatch (-want +got):\n%s", err, wantErr, cmp.Diff(want, got))
			}
			if len(reader.buf) > max(maxBuffer, HeaderLen+MaxRecord) {
				t.Fatalf("a buffer of %d bytes", len(reader.buf))
			}
		}
		consumed := 0
		for _, record := range want {
			consumed += HeaderLen + len(record)
		}
		if rest := data[consumed:]; wantErr == io.EOF && len(rest) > 0 {
			t.Fatalf("io.EOF with %d bytes left", len(rest))
		}
	})
}

// FuzzSecondDecoder keeps the decoder of the tests itself from a panic, and holds it and the codec to one reading of numbers.
func FuzzSecondDecoder(f *testing.F) {
	f.Add([]byte{0xf9, 0x3c, 0x00})
	f.Add([]byte{0xf9, 0x7f, 0x30}) // not a number
	f.Fuzz(func(t *testing.T, data []byte) {
		v, rest, err := readItem(data)
		if err != nil || len(rest) > 0 {
			return
		}
		var want any
		switch v := v.(type) {
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
			var got float64
			if err := decMode.Unmarshal(data, &got); err != nil || got != v {
				t.Fatalf("%x is %v, the codec says %v, %v", data, v, got, err)
			}
		case uint64, string, bool:
			if err := decMode.Unmarshal(data, &want); err != nil || want != v {
				t.Fatalf("%x is %v, the codec says %v, %v", data, v, want, err)
			}
		}
	})
}
