package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: what decodes can be encoded, that is what the second decoder reads as well, and it decodes to the same again, and by a Slab.
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
		if bySlab, slabErr := new(Slab).Decode(item); (err == nil) != (slabErr == nil) || !reflect.DeepEqual(first, bySlab) {
			t.Fatalf("decoded to %+v, %v; by a slab to %+v, %v", first, err, bySlab, slabErr)
		}
		if first == nil {
			return
		}
		encoded, err := Append(nil, first)
		if byLibrary := EncodeRaw(first); err == nil && !bytes.Equal(encoded[HeaderLen:], byLibrary) {
			t.Fatalf("encoded to\n%x\nby the library to\n%x", encoded[HeaderLen:], byLibrary)
		}
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
	case *Presence, *HistoryIs, *SearchIs, *CausalIs:
		return true
	}
	return false
}

// FuzzDecodeEntry: what decodes is what was encoded, byte for byte, the second decoder reads it as well, and Check says yes or no.
func FuzzDecodeEntry(f *testing.F) {
	all, _ := story()
	for _, s := range all {
		f.Add(s.signed.Entry)
	}
	f.Add(largest().Encode())
	f.Add(append(bytes.Clone(all[0].signed.Entry), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || e != nil {
				t.Fatalf("error %v, which is not ErrMalformed alone", err)
			}
			return
		}
		if !bytes.Equal(e.Encode(), b) {
			t.Fatalf("an entry in two encodings:\n%x\n%x", b, e.Encode())
		}
		item, rest, err := readItem(b)
		if err != nil || len(rest) > 0 {
			t.Fatalf("the second decoder: %v", err)
		}
		if diff := cmp.Diff(elements(reflect.ValueOf(e)), item); diff != "" {
			t.Fatalf("elements mismatch (-want +got):\n%s", diff)
		}
		if err := e.Check(); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("Check: %v, which is not ErrMalformed", err)
		}
		e.Header()
	})
}

// FuzzPeerRecord: whatever comes on a peer stream and is taken keeps to the bounds that its reader counts on.
func FuzzPeerRecord(f *testing.F) {
	for _, s := range peerSamples() {
		f.Add(Must(nil, s.record)[HeaderLen:])
	}
	f.Fuzz(func(t *testing.T, item []byte) {
		r, err := Decode(item)
		if err != nil {
			return
		}
		switch r := r.(type) {
		case *Peer:
			if r.Version == Version && (len(r.Space) != 16 || len(r.Key) != 32 || len(r.Token) != 0 && len(r.Token) != TokenLen) {
				t.Fatalf("%+v", r)
			}
			if s, err := DecodeAddresses(r.Record); err == nil && (len(s.Key) != 32 || len(s.Sig) != 64 || len(s.Hosts) > MaxHosts) {
				t.Fatalf("%+v", s)
			}
		case *Heads:
			for i := range r.Heads {
				if h := &r.Heads[i]; len(h.Log.Node) != 32 || h.Log.Room != r.Room || h.Low == 0 || h.Low > h.Seq+1 || h.Seq > MaxCount || h.Seq > 0 && len(h.ID) != 16 {
					t.Fatalf("%+v", h)
				}
			}
			Digest(r.Heads)
		case *Want:
			if r.To != 0 && (r.From == 0 || r.To < r.From || r.To-r.From >= MaxEntries) {
				t.Fatalf("%+v", r)
			}
		case *Entries:
			for i := range r.List {
				if s := &r.List[i]; len(s.Sig) != 64 || len(s.Entry) > MaxEntry || len(s.Salt) != 16 && len(s.Salt)+len(s.Body) > 0 {
					t.Fatalf("%+v", s)
				}
			}
		case *Fork:
			if a, b, err := r.Entries(); err == nil && (a.Seq != b.Seq || bytes.Equal(r.A.Entry, r.B.Entry)) {
				t.Fatalf("%+v", r)
			}
		case *PeerPeople:
			for i := range r.Nodes {
				r.Nodes[i].Fit(len(item) / 2)
			}
		}
	})
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
