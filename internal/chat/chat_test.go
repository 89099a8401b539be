package chat

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestIDText(t *testing.T) {
	id := ID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	if got := id.String(); got != "0123456789abcdef" || id.IsZero() || !(ID{}).IsZero() {
		t.Errorf("id is %s", got)
	}
	for text, want := range map[string]ID{"0123456789abcdef": id, "0123456789ABCDEF": id, strings.Repeat("0", 16): {}} {
		if got, err := ParseID(text); got != want || err != nil {
			t.Errorf("ParseID(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "01", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "0123456789abcdef00", strings.Repeat("ab", 500), "0x23456789abcdef"} {
		if got, err := ParseID(text); !got.IsZero() || err == nil {
			t.Errorf("ParseID(%q) = %v, %v; want an error", text, got, err)
		}
	}
}

func TestCursorText(t *testing.T) {
	for _, c := range []Cursor{{}, {1, 2, Hash{3}}, {math.MaxUint64, math.MaxUint64, Hash{255, 254, 253, 252, 251, 250, 249, 248}}} {
		if got, err := ParseCursor(c.String()); got != c || err != nil {
			t.Errorf("ParseCursor(%s) = %v, %v", c, got, err)
		}
	}
	if got, want := (Cursor{0xabc, 42, Hash{1}}).String(), "0000000000000abc.42.0100000000000000"; got != want {
		t.Errorf("cursor is %s, want %s", got, want)
	}
	for _, text := range []string{"", "..", "1.2", "1.2.0100000000000000.", "1.-2.0100000000000000", "g.2.0100000000000000", "1.2.01000000000000",
		"1.2." + strings.Repeat("01", 40), "1.18446744073709551616.0100000000000000", "1.2.0100000000000000 "} {
		if got, err := ParseCursor(text); got != (Cursor{}) || err == nil {
			t.Errorf("ParseCursor(%q) = %v, %v; want an error", text, got, err)
		}
	}
}

// TestHash holds the rolling hash to SHA-256 over the 16 bytes of the hash before and the id, and to values of another program.
func TestHash(t *testing.T) {
	id := ID{1, 2, 3, 4, 5, 6, 7, 8}
	first := Hash{}.Next(id)
	second := first.Next(ID{0xff})
	for want, got := range map[string]Hash{"4652b7050c9dfb2f": first, "4424a18312577f86": second} {
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("hash %x, want %s", got, want)
		}
	}
	sum := sha256.Sum256(append(append([]byte{}, first[:]...), 0xff, 0, 0, 0, 0, 0, 0, 0))
	if !bytes.Equal(second[:], sum[:8]) {
		t.Errorf("hash %x, want %x", second, sum[:8])
	}
}

// layout is what an id is the hash of, put together the slow way:
//
//	13 bytes  "chatnode/id/1"
//	 7 × 8    epoch, room, seq, from, cseq, time, kind, big-endian
//	 2        length of the name in bytes, big-endian
//	 n        name
//	 8        id of the message answered, or zeros
//	32        SHA-256(salt ‖ body)
func layout(h Header, salt [16]byte, body []byte) []byte {
	text := hex.EncodeToString([]byte("chatnode/id/1"))
	for _, v := range []uint64{h.Epoch, h.Room, h.Seq, h.From, h.CSeq} {
		text += fmt.Sprintf("%016x", v)
	}
	unsigned := new(big.Int).Mod(big.NewInt(h.Time), new(big.Int).Lsh(big.NewInt(1), 64)) // two's complement
	text += fmt.Sprintf("%016x%016x%04x%x%x", unsigned, uint8(h.Kind), len(h.Name), h.Name, h.Re[:])
	text += fmt.Sprintf("%x", sha256.Sum256(append(salt[:len(salt):len(salt)], body...)))
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func TestHeaderID(t *testing.T) {
	salt := [16]byte{0xf0, 0xf1, 0xf2}
	full := Header{Epoch: 0x0123456789abcdef, Room: 1, Seq: 2, From: 3, CSeq: 4, Time: 1767225600000, Kind: Text, Name: "zoë", Re: ID{9, 8, 7, 6, 5, 4, 3, 2}}
	past := Header{Seq: math.MaxUint64, Time: -1, Kind: Action}
	tests := map[string]struct {
		header Header
		body   []byte
		want   string
	}{
		"zero":    {Header{}, nil, "a36c47176f29bfee"},
		"full":    {full, []byte("good morning"), "1d2c618203473d3c"},
		"past":    {past, []byte{0xff}, ""},
		"longest": {full, bytes.Repeat([]byte("x"), MaxText), ""},
		"longer":  {full, bytes.Repeat([]byte("x"), 5*MaxText), ""},
	}
	for name, tt := range tests {
		got := tt.header.ID(&salt, tt.body)
		if sum := sha256.Sum256(layout(tt.header, salt, tt.body)); !bytes.Equal(got[:], sum[:8]) {
			t.Errorf("%s: id %v, the layout says %x", name, got, sum[:8])
		}
		if tt.want != "" && got.String() != tt.want {
			t.Errorf("%s: id %v, want %s", name, got, tt.want)
		}
	}
}

// TestHeaderIDCovers: no field, and not the salt or the body, can change without the id.
func TestHeaderIDCovers(t *testing.T) {
	base := Header{Epoch: 1, Room: 1, Seq: 1, From: 1, CSeq: 1, Time: 1, Kind: 1, Name: "ab", Re: ID{1}}
	seen := map[ID]string{base.ID(&[16]byte{}, []byte("c")): "base"}
	note := func(what string, id ID) {
		if first, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", what, first)
		}
		seen[id] = what
	}
	for what, change := range map[string]func(*Header){
		"epoch": func(h *Header) { h.Epoch++ }, "room": func(h *Header) { h.Room++ }, "seq": func(h *Header) { h.Seq++ }, "from": func(h *Header) { h.From++ },
		"cseq": func(h *Header) { h.CSeq++ }, "time": func(h *Header) { h.Time++ }, "kind": func(h *Header) { h.Kind++ }, "name": func(h *Header) { h.Name = "a" }, "re": func(h *Header) { h.Re[7]++ },
	} {
		h := base
		change(&h)
		note(what, h.ID(&[16]byte{}, []byte("c")))
	}
	note("salt", base.ID(&[16]byte{15: 1}, []byte("c")))
	note("body", base.ID(&[16]byte{}, []byte("d")))
	note("no body", base.ID(&[16]byte{}, nil))
}

func TestNumbersNeverChange(t *testing.T) {
	for kind, want := range map[Kind]string{1: "text", 2: "action", 3: "topic", 4: "skip", 5: "act", 6: "sealed", 9: "kind-9"} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q, want %q", uint8(kind), got, want)
		}
	}
	want := strings.Fields(`0:ok 1:too_long 2:bad_text 3:bad_name 4:name_taken 5:bad_room 6:no_such_user 7:no_such_room 8:not_joined 9:denied
		10:too_many_rooms 11:room_rate 12:bad_kind 20:full 21:stopping 22:no_space 23:hole 24:replaced 25:bad_version 26:bad_proof 27:bad_origin
		28:malformed 29:timeout 30:internal 31:goodbye 32:unsupported 33:empty 34:bad_query 35:not_invited 36:bad_invite 37:too_fast 38:not_secure
		39:not_allowed 40:banned 41:muted 42:read_only 43:slow 44:archived 45:kicked 46:not_member 47:bad_signature 48:bad_act 49:other_space 50:not_admitted 55:too_many 60:key_changed 61:no_card`)
	for _, pair := range want {
		var code Code
		var name string
		if _, err := fmt.Sscanf(pair, "%d:%s", &code, &name); err != nil {
			t.Fatal(err)
		}
		if code.String() != name || code.Sentence() == "" || strings.HasSuffix(code.Sentence(), ".") {
			t.Errorf("code %d is %q, %q; want %q", uint16(code), code, code.Sentence(), name)
		}
	}
	if len(want) != len(codes) {
		t.Errorf("%d codes are listed here, %d exist", len(want), len(codes))
	}
	if got := Code(999); got.String() != "code-999" || !strings.Contains(got.Sentence(), "code-999") {
		t.Errorf("an unknown code is %q, %q", got, got.Sentence())
	}
}

func TestMillis(t *testing.T) {
	if got := Millis(time.Date(2026, 1, 1, 1, 0, 0, 1_999_999, time.FixedZone("", 3600))); got != 1767225600001 {
		t.Errorf("Millis = %d", got)
	}
}

func BenchmarkHeaderID(b *testing.B) {
	h := Header{Epoch: 1, Room: 2, Seq: 3, Name: "carol", Kind: Text}
	body := bytes.Repeat([]byte("x"), 100)
	b.ReportAllocs()
	for b.Loop() {
		h.ID(&[16]byte{}, body)
	}
}
