package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

var update = flag.Bool("update", false, "write the vectors anew")

// selfOf returns the owner of the key whose seed counts up from first.
func selfOf(t testing.TB, first byte) *Self {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = first + byte(i)
	}
	key, err := identity.NewKey(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	return NewSelf(key)
}

func (s *Self) id() identity.ID { return s.key.ID() }

func peerOf(t testing.TB, s *Self) *Peer {
	t.Helper()
	p, err := ReadCard(s.Card())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var here = Mark{Origin: OriginOf([16]byte{1, 2, 3}), CSeq: 7, Re: chat.ID{9}}

// Both of a conversation read what either of them says, on any device that has their key, and see who it was.
func TestRoundTrip(t *testing.T) {
	carol, bob := selfOf(t, 0), selfOf(t, 0x20)
	for name, text := range map[string]Text{
		"text":    {chat.Text, "the pump in hall 3 leaks"},
		"action":  {chat.Action, "waves"},
		"empty":   {chat.Text, ""},
		"lines":   {chat.Text, "one\ntwo\x00"},
		"longest": {chat.Text, strings.Repeat("é", chat.MaxText/2)},
	} {
		for _, author := range []*Self{carol, bob} {
			other := carol
			if author == carol {
				other = bob
			}
			sealed := author.Seal(peerOf(t, other), here, text)
			if len(sealed) != Len(len(text.Body)) || len(sealed) > MaxLen || len(sealed) < MinLen {
				t.Errorf("%s: %d bytes, and Len says %d", name, len(sealed), Len(len(text.Body)))
			}
			if len(text.Body) > 4 && bytes.Contains(sealed, []byte(text.Body[:4])) {
				t.Errorf("%s can be read in what was sealed", name)
			}
			again := NewSelf(author.key) // another device
			for _, reader := range []struct {
				*Self
				with identity.ID
			}{{author, other.id()}, {other, author.id()}, {again, other.id()}} {
				got, err := reader.Open(reader.with, here.CSeq, here.Re, sealed)
				if err != nil || got != (Opened{text, author.id(), here.Origin}) {
					t.Errorf("%s: opened as %q by %v, %v", name, got.Body, got.Author, err)
				}
			}
		}
	}
}

// A conversation with oneself has one key.
func TestOneself(t *testing.T) {
	carol := selfOf(t, 0)
	sealed := carol.Seal(peerOf(t, carol), here, Text{chat.Text, "note"})
	got, err := carol.Open(carol.id(), here.CSeq, here.Re, sealed)
	if err != nil || got.Body != "note" || got.Author != carol.id() {
		t.Errorf("opened as %q by %v, %v", got.Body, got.Author, err)
	}
}

// Whatever is changed, it does not open: each byte, each end.
func TestTampering(t *testing.T) {
	carol, bob := selfOf(t, 0), selfOf(t, 0x20)
	sealed := carol.Seal(peerOf(t, bob), here, Text{chat.Text, "yes"})
	for i := range sealed {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(sealed)
			bad[i] ^= bit
			for name, reader := range map[string]*Self{"carol": carol, "bob": bob} {
				with := bob.id()
				if reader == bob {
					with = carol.id()
				}
				if got, err := reader.Open(with, here.CSeq, here.Re, bad); !errors.Is(err, ErrUnreadable) {
					t.Fatalf("%s opens it as %q with byte %d changed (%v)", name, got.Body, i, err)
				}
			}
		}
	}
	for n := range sealed {
		if _, err := bob.Open(carol.id(), here.CSeq, here.Re, sealed[:n]); !errors.Is(err, ErrUnreadable) {
			t.Fatalf("%d of %d bytes: %v", n, len(sealed), err)
		}
	}
	for name, bad := range map[string][]byte{
		"one more": append(bytes.Clone(sealed), 0), "twice": append(bytes.Clone(sealed), sealed...), "huge": make([]byte, MaxLen+1),
		"zeros": make([]byte, MinLen), "nothing": nil,
	} {
		if _, err := bob.Open(carol.id(), here.CSeq, here.Re, bad); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is sealed for one place opens in no other.
func TestReplay(t *testing.T) {
	carol, bob, alice := selfOf(t, 0), selfOf(t, 0x20), selfOf(t, 0x40)
	sealed := carol.Seal(peerOf(t, bob), here, Text{chat.Text, "yes"})
	for name, open := range map[string]func() (Opened, error){
		"by a stranger":             func() (Opened, error) { return alice.Open(carol.id(), here.CSeq, here.Re, sealed) },
		"in another conversation":   func() (Opened, error) { return bob.Open(alice.id(), here.CSeq, here.Re, sealed) },
		"as another message":        func() (Opened, error) { return bob.Open(carol.id(), here.CSeq+1, here.Re, sealed) },
		"in answer to another":      func() (Opened, error) { return bob.Open(carol.id(), here.CSeq, chat.ID{}, sealed) },
		"in carol's with oneself":   func() (Opened, error) { return carol.Open(carol.id(), here.CSeq, here.Re, sealed) },
		"in carol's with a third":   func() (Opened, error) { return carol.Open(alice.id(), here.CSeq, here.Re, sealed) },
		"in the conversation of no": func() (Opened, error) { return bob.Open(identity.ID{}, here.CSeq, here.Re, sealed) },
	} {
		if got, err := open(); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: opened as %q, %v", name, got.Body, err)
		}
	}
}

// A text in one's own name can't be made of another's: who may seal to both is not yet who signs.
func TestForgery(t *testing.T) {
	carol, bob := selfOf(t, 0), selfOf(t, 0x20)
	id := [2]identity.ID{carol.id(), bob.id()}
	author := byte(1) // bob makes one that says it is carol's
	if bytes.Compare(id[0][:], id[1][:]) > 0 {
		id[0], id[1], author = id[1], id[0], 0
	}
	author ^= 1
	if id[author] != carol.id() {
		t.Fatal("that is not carol")
	}
	forger := &Self{key: bob.key, secret: carol.secret, card: carol.card} // seals under carol's name, and can sign only as bob
	sealed := forge(t, forger, carol, bob, id, author)
	if got, err := carol.Open(bob.id(), here.CSeq, here.Re, sealed); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "signed") {
		t.Errorf("opened as %q by %v, %v", got.Body, got.Author, err)
	}
}

// forge seals as Seal does, with an author that is not the one who signs.
func forge(t *testing.T, signer, carol, bob *Self, id [2]identity.ID, author byte) []byte {
	t.Helper()
	bound := bind(id[0], id[1], author, here)
	pair := [2]*Self{carol, bob}
	if id[0] != carol.id() {
		pair = [2]*Self{bob, carol}
	}
	var content [contentLen]byte
	out := append([]byte{version, author}, here.Origin[:]...)
	for _, p := range pair {
		wrap, err := sealKey(p, bound, content[:])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, wrap...)
	}
	text := Text{chat.Text, "yes"}
	inside := append([]byte{byte(text.Kind)}, signer.key.Public()...)
	inside = append(inside, signer.key.Sign(signatureDomain, signed(bound, text))...)
	inside = append(append(inside, 0, 3), "yes"...)
	inside = append(inside, make([]byte, minPadded-5)...)
	return box(&content).Seal(out, make([]byte, gcmNonce), inside, append(bound, out...))
}

func sealKey(to *Self, bound, content []byte) ([]byte, error) {
	return hpke.Seal(to.secret.PublicKey(), kdf, aead, bound, content)
}

// How long a sealed text is tells no more than between which powers of two its length is.
func TestLen(t *testing.T) {
	for n, want := range map[int]int{0: MinLen, 1: MinLen, 62: MinLen, 63: MinLen + 64, 126: MinLen + 64, 127: MinLen + 192, 8190: boxAt + insideLen + 8192 + gcmLen, 8191: MaxLen, 8192: MaxLen} {
		if got := Len(n); got != want {
			t.Errorf("Len(%d) = %d, want %d", n, got, want)
		}
	}
	if MinLen != chat.MinSealed || MaxLen != chat.MaxSealed {
		t.Errorf("sealed texts have %d to %d bytes, and the protocol says %d to %d", MinLen, MaxLen, chat.MinSealed, chat.MaxSealed)
	}
}

func TestCard(t *testing.T) {
	carol, bob := selfOf(t, 0), selfOf(t, 0x20)
	card := carol.Card()
	if p, err := ReadCard(card); err != nil || p.ID != carol.id() {
		t.Fatalf("carol's card: %v, %v", p, err)
	}
	for i := range card {
		bad := bytes.Clone(card)
		bad[i] ^= 1
		if _, err := ReadCard(bad); !errors.Is(err, ErrCard) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	small := append([]byte(carol.key.Public()), make([]byte, x25519Len)...)
	small = append(small, carol.key.Sign(cardDomain, make([]byte, x25519Len))...)
	mixed := append(append(bytes.Clone(card[:32]), bob.Card()[32:64]...), card[64:]...)
	for name, bad := range map[string][]byte{"none": nil, "cut": card[:CardLen-1], "longer": append(bytes.Clone(card), 0), "with another's key": mixed, "of small order": small} {
		if _, err := ReadCard(bad); !errors.Is(err, ErrCard) {
			t.Errorf("%s: %v", name, err)
		}
	}
	card[40] ^= 1
	if bytes.Equal(card, carol.Card()) {
		t.Error("Card gives away its own memory")
	}
}

// vector is a sealed text that has to open for ever.
type vector struct {
	Name   string
	Reader string // seed
	With   string // key id
	CSeq   uint64
	Re     string
	Sealed string

	Author, Origin, Kind, Text string
}

// vectors are what an implementation in another language can check its own by.
type vectors struct {
	Seeds   map[string]string
	Cards   map[string]string
	Origins map[string]string // by token
	Opens   []vector
}

// What was ever sealed opens for ever, and cards stay the same.
func TestVectors(t *testing.T) {
	file := filepath.Join("testdata", "vectors.json")
	if *update {
		writeVectors(t, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil || len(v.Opens) == 0 || len(v.Cards) == 0 || len(v.Origins) == 0 {
		t.Fatalf("%d vectors, %v", len(v.Opens), err)
	}
	for name, seed := range v.Seeds {
		if got := hex.EncodeToString(ofSeed(t, seed).Card()); got != v.Cards[name] {
			t.Errorf("card of %s: %s, want %s", name, got, v.Cards[name])
		}
	}
	for token, want := range v.Origins {
		if got := OriginOf([16]byte(unhex(t, token))); hex.EncodeToString(got[:]) != want {
			t.Errorf("origin %s: %x, want %s", token, got, want)
		}
	}
	for _, x := range v.Opens {
		with, err := identity.ParseID(x.With)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ofSeed(t, x.Reader).Open(with, x.CSeq, chat.ID(unhex(t, x.Re)), unhex(t, x.Sealed))
		if err != nil {
			t.Errorf("%s: %v", x.Name, err)
			continue
		}
		want := []string{x.Author, x.Origin, x.Kind, x.Text}
		if diff := cmp.Diff(want, []string{got.Author.String(), hex.EncodeToString(got.Origin[:]), got.Kind.String(), got.Body}); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", x.Name, diff)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ofSeed(t *testing.T, seed string) *Self {
	t.Helper()
	key, err := identity.NewKey(bytes.NewReader(unhex(t, seed)))
	if err != nil {
		t.Fatal(err)
	}
	return NewSelf(key)
}

func writeVectors(t *testing.T, file string) {
	t.Helper()
	carol, bob := selfOf(t, 0), selfOf(t, 0x20)
	seed := func(first byte) string {
		b := make([]byte, 32)
		for i := range b {
			b[i] = first + byte(i)
		}
		return hex.EncodeToString(b)
	}
	origin := here.Origin
	v := vectors{
		Seeds:   map[string]string{"carol": seed(0), "bob": seed(0x20)},
		Cards:   map[string]string{"carol": hex.EncodeToString(carol.Card()), "bob": hex.EncodeToString(bob.Card())},
		Origins: map[string]string{hex.EncodeToString([]byte{1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}): hex.EncodeToString(origin[:])},
	}
	for _, x := range []struct {
		name       string
		author, to *Self
		with       string
		reader     string
		mark       Mark
		text       Text
	}{
		{"bob reads what carol says", carol, bob, carol.id().String(), seed(0x20), here, Text{chat.Text, "the pump in hall 3 leaks"}},
		{"carol reads it on another device", carol, bob, bob.id().String(), seed(0), Mark{Origin: origin, CSeq: 8}, Text{chat.Text, "é\nü"}},
		{"carol reads what bob does", bob, carol, bob.id().String(), seed(0), Mark{Origin: origin, CSeq: 1}, Text{chat.Action, "waves"}},
		{"carol reads her note", carol, carol, carol.id().String(), seed(0), Mark{Origin: origin, CSeq: 9}, Text{chat.Text, strings.Repeat("long ", 20)}},
	} {
		sealed := x.author.Seal(peerOf(t, x.to), x.mark, x.text)
		v.Opens = append(v.Opens, vector{
			Name: x.name, Reader: x.reader, With: x.with, CSeq: x.mark.CSeq, Re: x.mark.Re.String(), Sealed: hex.EncodeToString(sealed),
			Author: x.author.id().String(), Origin: hex.EncodeToString(origin[:]), Kind: x.text.Kind.String(), Text: x.text.Body,
		})
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(out, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Nothing opens but what was sealed. The text is one of the vectors: processes that fuzz together have to mean the same.
func FuzzOpen(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		f.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		f.Fatal(err)
	}
	carol, bob, first := selfOf(f, 0), selfOf(f, 0x20), v.Opens[0]
	sealed, err := hex.DecodeString(first.Sealed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, first.CSeq)
	f.Add(sealed[:MinLen-1], first.CSeq)
	f.Add(make([]byte, MaxLen), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, cseq uint64) {
		got, err := bob.Open(carol.id(), cseq, here.Re, b)
		if err == nil && (!bytes.Equal(b, sealed) || cseq != first.CSeq || got.Body != first.Text || got.Author != carol.id()) {
			t.Errorf("opened as %q by %v", got.Body, got.Author)
		}
	})
}

// Whatever an author puts inside, it is what Seal makes or nothing.
func FuzzUnpack(f *testing.F) {
	carol := selfOf(f, 0)
	bound := bind(carol.id(), carol.id(), 0, here)
	f.Add([]byte("yes"), byte(chat.Text), uint16(3))
	f.Add([]byte("yes\x00"), byte(chat.Topic), uint16(3))
	f.Add(make([]byte, chat.MaxText), byte(chat.Text), uint16(chat.MaxText))
	f.Fuzz(func(t *testing.T, padding []byte, kind byte, size uint16) {
		text := Text{Kind: chat.Kind(kind), Body: string(padding[:min(int(size), len(padding))])}
		inside := append([]byte{kind}, carol.key.Public()...)
		inside = append(inside, carol.key.Sign(signatureDomain, signed(bound, text))...)
		inside = append(append(inside, byte(size>>8), byte(size)), padding...)
		if len(inside) < insideLen+minPadded || len(inside) > insideLen+maxPadded {
			return
		}
		got, err := unpack(inside, carol.id(), bound)
		if err == nil && (got != text || padded(len(got.Body)) != len(padding)+lengthLen || len(got.Body) > chat.MaxText || kind > 2) {
			t.Errorf("unpacked as %d bytes of kind %v", len(got.Body), got.Kind)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	carol, bob := selfOf(b, 0), selfOf(b, 0x20)
	to := peerOf(b, bob)
	for b.Loop() {
		carol.Seal(to, here, Text{chat.Text, "the pump in hall 3 leaks"})
	}
}

func BenchmarkOpen(b *testing.B) {
	carol, bob := selfOf(b, 0), selfOf(b, 0x20)
	sealed := carol.Seal(peerOf(b, bob), here, Text{chat.Text, "the pump in hall 3 leaks"})
	for b.Loop() {
		if _, err := bob.Open(carol.id(), here.CSeq, here.Re, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
