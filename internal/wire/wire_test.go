package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeExtraElements(t *testing.T) {
	// [10, "lobby", "later", {1: 2}]: a Part of a later version.
	got, err := Decode(unhex(t, "84 0a 656c6f626279 656c61746572 a10102"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Record(&Part{Type: TypePart, Room: "lobby"}), got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func TestDecodeMissingElements(t *testing.T) {
	for kind, maker := range makers {
		got, err := Decode([]byte{0x81, 0x18, kind})
		switch kind {
		case TypeHeads, TypeEntries, TypeFork, TypeTrimmed: // which say nothing without a room, a log or a number
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("type %d alone: %v, want ErrMalformed", kind, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("type %d alone: %v", kind, err)
			continue
		}
		want := maker()
		want.stamp()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("type %d alone mismatch (-want +got):\n%s", kind, diff)
		}
	}
}

// TestDecodeExtraKeys: a key of the options that a later version brings is passed over like an element.
func TestDecodeExtraKeys(t *testing.T) {
	// [8, 1, "a", 1, 'x', {9: "later"}]
	got, err := Decode(unhex(t, "86 08 01 6161 01 4178 a109656c61746572"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Record(&Pub{Type: TypePub, CSeq: 1, Room: "a", Kind: chat.Text, Body: []byte("x")}), got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func TestDecodeUnknownType(t *testing.T) {
	for _, item := range []string{"8116", "8117", "8118ff", "83187e 01 02"} {
		if got, err := Decode(unhex(t, item)); got != nil || err != nil {
			t.Errorf("Decode(%s) = %v, %v; want nil, nil", item, got, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("01", maxElements+1)
	event := func(id string) string { // [1, 1, 1, 1, 1, 0, "a", 1, 'x', id, {}]
		return "8b 01 01 01 01 01 00 6161 01 4178" + id + "a0"
	}
	tests := map[string]string{
		"nothing":                    "",
		"no array":                   "01",
		"empty array":                "80",
		"empty long array":           "9800 18ff",
		"array of 256":               "990100" + strings.Repeat("0b", 256),
		"type is text":               "816161",
		"type is negative":           "8120",
		"type over 255":              "81190100",
		"type is missing":            "82",
		"indefinite array":           "9f 0b 656c6f626279 ff",
		"indefinite text":            "82 0b 7f 616c 626f62 ff",
		"indefinite bytes":           "83 0d 01 5f 4101 4102 ff",
		"tag":                        "82 0b c0 656c6f626279",
		"bignum":                     "84 05 c24101 6161 00",
		"ends early":                 "82 0b 656c6f62",
		"trailing byte":              "82 0b 656c6f626279 00",
		"too few, then trailing":     "81 0b 00",
		"invalid UTF-8":              "82 0b 65 6c6fff6279",
		"overlong UTF-8":             "82 0b 62 c080",
		"surrogate":                  "82 0b 63 eda080",
		"text where bytes belong":    "83 0d 01 626869",
		"bytes where text belongs":   "82 0b 426869",
		"negative where not allowed": "83 0d 20 40",
		"float where not allowed":    "83 0d f93c00 40",
		"over 64 bits of time":       "85 02 01 01 48 0000000000000000 1b ffffffffffffffff",
		"code over 16 bits":          "82 181f 1a00010000",
		"nested too deep":            "83 0b 6161 8181818181818100",
		"too many elements":          "82 1826 99 0801" + long,
		"key twice":                  "86 08 01 6161 01 4178 a2 0140 0140",
		"not a number":               "8a 0f 01 40 60 60 00 00 00 80 a1 07 f97e00",
		"infinite":                   "8a 0f 01 40 60 60 00 00 00 80 a1 07 f97c00",
		"id of 7 bytes":              event("47 00000000000001"),
		"id of 9 bytes":              event("49 000000000000000001"),
		"id of no bytes":             event("40"),
		"id as a list":               event("88 01 02 03 04 05 06 07 08"),
		"body as a list":             "86 08 01 6161 01 82 01 02 a0",
		"nonce as a list":            "83 0d 01 82 01 02",
		"nonce as null in a list":    "83 0d 01 81 f6",
		"hash in a cursor too short": "84 09 6161 00 83 01 01 47 00000000000001",
		"id in an outcome too long":  "8b 0f 01 40 60 60 00 00 00 81 85 01 00 01 49 000000000000000001 00 a0 00",
		"list of people has numbers": "84 1821 81 01 00 f4",
		"person has an element more": "84 1821 81 83 41 00 6161 00 00 f4",
		"person has an element less": "84 1821 81 81 41 00 00 f4",
		"person is a map":            "84 1821 81 a0 00 f4",
		"people are a map":           "84 1821 a0 00 f4",
		"people are bytes":           "84 1821 4101 00 f4",
		"reply to 7 bytes":           "86 08 01 6161 01 4178 a101 47 00000000000001",
		"event replies to 9 bytes":   "8b 01 01 01 01 01 00 6161 01 4178 48 0000000000000001 a101 49 000000000000000001",
	}
	for name, item := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(unhex(t, item))
			if got != nil || !errors.Is(err, ErrMalformed) {
				t.Errorf("Decode = %v, %v; want nil and ErrMalformed", got, err)
			}
		})
	}
	if _, err := Decode(unhex(t, event("48 0000000000000001"))); err != nil {
		t.Errorf("the event that the cases above break: %v", err)
	}
}

func TestDecodeRoomPresenceRefuses(t *testing.T) {
	for name, item := range map[string]string{
		"nothing": "", "number": "01", "id as a list": "85 6161 01 f5 81 82 81 01 6161 80", "trailing": "85 6161 01 f5 80 80 00",
		"away by id": "86 6161 01 f5 80 80 81 4101", "away before the first": "86 6161 01 f5 80 80 81 20", "away is a number": "86 6161 01 f5 80 80 01",
	} {
		if _, err := DecodeRoomPresence(unhex(t, item)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
	for name, item := range map[string]string{"earlier": "85 6161 01 f5 80 80", "of this": "86 6161 01 f5 80 80 81 02", "later": "87 6161 01 f5 80 80 81 02 6161"} {
		want := RoomPresence{Room: "a", Count: 1, Snapshot: true, Here: []Person{}, Gone: []Person{}, Away: []uint64{2}}
		if name == "earlier" {
			want.Away = nil
		}
		got, err := DecodeRoomPresence(unhex(t, item))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("presence of a version %s: error %v, mismatch (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestDecodeCopies: a record outlives the buffer that it came in.
func TestDecodeCopies(t *testing.T) {
	for _, s := range samples() {
		for name, item := range map[string][]byte{
			s.name:             Must(nil, s.record)[HeaderLen:],
			s.name + " longer": longer(Must(nil, s.record)[HeaderLen:]),
		} {
			got, err := Decode(item)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range item {
				item[i] ^= 0xff
			}
			if diff := cmp.Diff(s.record, got); diff != "" {
				t.Errorf("%s changed with the buffer (-want +got):\n%s", name, diff)
			}
		}
	}
}

// longer returns an array of fewer than 23 elements with one more.
func longer(item []byte) []byte {
	item = append(slices.Clone(item), 0x00)
	item[0]++
	return item
}

// TestEncodeOneSpelling: nothing is written as an empty string or list, never as null, so that every element always has its type.
func TestEncodeOneSpelling(t *testing.T) {
	for kind, maker := range makers {
		if kind == TypeJoin { // whose cursor is null when there is none
			continue
		}
		if item := Must(nil, maker())[HeaderLen:]; bytes.IndexByte(item, 0xf6) >= 0 {
			t.Errorf("an empty record of type %d holds null: %x", kind, item)
		}
	}
}

func TestAppend(t *testing.T) {
	dst := []byte("before")
	got, err := Append(dst, &Part{Room: "a"})
	if want := append([]byte("before"), 0, 0, 0, 4, 0x82, 0x0a, 0x61, 'a'); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Append = %x, %v; want %x", got, err, want)
	}
	fits := &Pub{Body: make([]byte, MaxRecord-10)} // 86 08 00 60 00 59ffff… a0
	if got, err := Append(nil, fits); err != nil || len(got) != HeaderLen+MaxRecord-1 {
		t.Errorf("a record just inside the limit takes %d bytes: %v", len(got), err)
	}
	large := &Pub{Body: make([]byte, MaxRecord)}
	if got, err := Append(dst, large); !errors.Is(err, ErrTooLarge) || !bytes.Equal(got, dst) {
		t.Errorf("Append of a large record = %q, %v; want what was there, ErrTooLarge", got, err)
	}
	if _, err := Append(nil, &Welcome{Limits: Limits{Rate: math.Inf(1)}}); err != nil {
		t.Errorf("Append of an infinite rate: %v", err)
	}
}

func TestMustPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Must took a record that does not fit")
		}
	}()
	Must(nil, &Pub{Body: make([]byte, MaxRecord)})
}

func TestWhyNames(t *testing.T) {
	for why, want := range map[Why]string{WhyEpoch: "epoch", WhyAhead: "ahead", WhyHash: "hash", 0: ""} {
		if got := why.String(); got != want {
			t.Errorf("Why(%d) = %q, want %q", why, got, want)
		}
	}
}
