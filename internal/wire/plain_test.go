package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// Numbers and lengths around those at which heads grow.
var sizes = []uint64{0, 1, 23, 24, 255, 256, 1<<16 - 1, 1 << 16, 1<<32 - 1, 1 << 32, math.MaxInt64}

// TestPlain: what is encoded by hand is what the library makes of it, and what is decoded by hand is what the library reads; the one and the other happen, and not
// where there is more to say.
func TestPlain(t *testing.T) {
	var records []Record
	for i, n := range sizes {
		body := []byte(strings.Repeat("x", int(min(n, MaxRecord-1000))))
		records = append(records,
			&Event{Room: n, Seq: n, From: n, CSeq: n, Time: int64(n), Name: string(body[:len(body)/2]), Kind: chat.Kind(i), Body: body[:len(body)/2], ID: chat.ID{byte(i)}},
			&Ack{CSeq: n, Seq: n, Time: int64(n), ID: chat.ID{byte(i)}},
			&Pub{CSeq: n, Room: string(body[:len(body)/2]), Kind: chat.Kind(n), Body: body[:len(body)/2]},
		)
	}
	for _, r := range records {
		if p, ok := r.(plain); ok {
			if _, ok := p.appendPlain(nil); !ok {
				t.Errorf("%T is not encoded by hand", r)
			}
		}
		encodesAlike(t, r)
		if pub, ok := r.(*Pub); ok && !isCut(Must(nil, pub)[HeaderLen:]) {
			t.Errorf("%.200v is not decoded by hand", pub)
		}
	}
	opts := reflect.TypeFor[Opts]()
	for i := range opts.NumField() {
		var o Opts
		switch f := reflect.ValueOf(&o).Elem().Field(i); f.Kind() {
		case reflect.Slice:
			f.SetBytes([]byte{1})
		case reflect.Uint64:
			f.SetUint(1)
		case reflect.Int64:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			o.As = &As{Origin: make([]byte, 16)}
		default:
			t.Fatalf("Opts.%s is of a kind that this test does not know", opts.Field(i).Name)
		}
		encodesAlike(t, &Event{Opts: o})
		if item := EncodeRaw(&Pub{Type: TypePub, Opts: o}); isCut(item) {
			t.Errorf("a Pub with %s is decoded by hand", opts.Field(i).Name)
		}
	}
	encodesAlike(t, &Event{Time: -1})
	encodesAlike(t, &Ack{Time: math.MinInt64})
	if _, err := Append(nil, &Event{Body: make([]byte, MaxRecord)}); err == nil {
		t.Error("an event that is too large is encoded")
	}
}

// isCut reports whether an item is decoded by hand.
func isCut(item []byte) bool {
	_, room, _, _ := cutPub(item)
	return room != nil
}

// TestSlab: a record stays as it was decoded, whatever is decoded after it, and whatever becomes of what it was decoded from.
func TestSlab(t *testing.T) {
	var slab Slab
	var got, want []Record
	item := make([]byte, 0, MaxRecord)
	for i := range 20 * slabPubs {
		size := []int{0, 1, 100, slabLarge, slabLarge + 1, 2 * slabText}[i%6]
		pub := &Pub{Type: TypePub, CSeq: uint64(i), Room: []string{"lobby", "plans"}[i/50%2], Kind: chat.Text, Body: bytes.Repeat([]byte{byte(i)}, size)}
		if i%7 == 0 {
			pub.Opts.Re = []byte("eight by")
		}
		item = append(item[:0], Must(nil, pub)[HeaderLen:]...)
		record, err := slab.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		clear(item)
		got, want = append(got, record), append(want, pub)
	}
	for _, r := range got {
		_ = append(r.(*Pub).Body, "what somebody appends is theirs alone"...)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("records have changed since they were decoded")
	}
	pub := Must(nil, &Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: make([]byte, 100)})[HeaderLen:]
	if n := testing.AllocsPerRun(1000, func() { _, _ = slab.Decode(pub) }); n > 0 {
		t.Errorf("%v allocations for each Pub, want less than one", n)
	}
}

func encodesAlike(t *testing.T, r Record) {
	t.Helper()
	got := Must([]byte("before"), r)
	item := EncodeRaw(r)
	want := append(binary.BigEndian.AppendUint32([]byte("before"), uint32(len(item))), item...)
	if !bytes.Equal(got, want) {
		t.Errorf("%.200v is encoded to\n%.200x\nby the library to\n%.200x", r, got, want)
	}
}

// Whatever a plain Pub is cut to, or has a byte changed to, it is no other than the library says.
func TestNearlyPlain(t *testing.T) {
	whole := EncodeRaw(&Pub{Type: TypePub, CSeq: 300, Room: "lobby", Kind: chat.Text, Body: []byte(strings.Repeat("é", 20))})
	var slab Slab
	same := func(item []byte) {
		t.Helper()
		got, err := slab.Decode(item)
		want, wantErr := Decode(item)
		if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%x decodes to %+v, %v; by the library to %+v, %v", item, got, err, want, wantErr)
		}
	}
	for i := range whole {
		same(whole[:i])
		for b := range 256 {
			changed := bytes.Clone(whole)
			changed[i] = byte(b)
			same(changed)
		}
	}
	same(append(bytes.Clone(whole), 0))
}
