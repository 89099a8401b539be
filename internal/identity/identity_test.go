package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

// seed returns the bytes 0, 1, 2, … of a key that every run has.
func seed() []byte {
	b := make([]byte, ed25519.SeedSize)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// fixedID and fixedText are the id of the key made from seed, as another program computed them: SHA-256 of the 44 bytes
// 302a300506032b6570032100 and the public key, then its text.
const (
	fixedPublic = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
	fixedID     = "a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5"
	fixedText   = "cn1ubiig7mfa4cyfthxhffqtceeptbrfs4iewnyssez63zdttyxsgszog3u"
)

func fixedKey(t testing.TB) *Key {
	t.Helper()
	key, err := NewKey(bytes.NewReader(seed()))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKnownKey(t *testing.T) {
	key := fixedKey(t)
	id := key.ID()
	if got := hex.EncodeToString(key.Public()); got != fixedPublic {
		t.Errorf("public key %s, want %s", got, fixedPublic)
	}
	if got := hex.EncodeToString(id[:]); got != fixedID {
		t.Errorf("id %s, want %s", got, fixedID)
	}
	if got := id.String(); got != fixedText {
		t.Errorf("text %s, want %s", got, fixedText)
	}
	if IDOf(key.Public()) != id {
		t.Error("the id of the public half is another")
	}
	if id.IsZero() || !(ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestNewKeyNeedsRandomness(t *testing.T) {
	broken := errors.New("broken")
	if _, err := NewKey(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	if _, err := NewKey(bytes.NewReader(seed()[1:])); err == nil {
		t.Error("a key was made from 31 bytes")
	}
}

func TestParseID(t *testing.T) {
	want := fixedKey(t).ID()
	grouped := fixedText[:3]
	for rest := fixedText[3:]; rest != ""; rest = rest[8:] {
		grouped += "-" + rest[:8]
	}
	good := map[string]string{
		"as written": fixedText,
		"capitals":   strings.ToUpper(fixedText),
		"grouped":    grouped,
		"spaces":     "  " + strings.ReplaceAll(grouped, "-", " ") + " ",
	}
	for name, text := range good {
		if got, err := ParseID(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	bad := map[string]string{
		"nothing":          "",
		"prefix":           "cn1",
		"another prefix":   "cn2" + fixedText[3:],
		"no prefix":        fixedText[3:],
		"one short":        fixedText[:len(fixedText)-1],
		"one long":         fixedText + "a",
		"not base32":       fixedText[:10] + "1" + fixedText[11:],
		"padding":          fixedText[:len(fixedText)-1] + "=",
		"nothing but ends": "cn1" + strings.Repeat("\n", 56),
		"half ends":        "cn1" + strings.Repeat("a", 24) + strings.Repeat("\r\n", 16),
		"an end inside":    fixedText[:10] + "\n" + fixedText[11:],
		"two swapped":      fixedText[:10] + fixedText[11:12] + fixedText[10:11] + fixedText[12:],
		"not ASCII":        fixedText[:10] + "é" + fixedText[12:],
	}
	for name, text := range bad {
		if got, err := ParseID(text); got != (ID{}) || err != ErrBadID {
			t.Errorf("%s: %v, %v; want ErrBadID", name, got, err)
		}
	}
}

// TestParseIDFindsMistakes: a wrong character anywhere is noticed, as are two neighbours exchanged.
func TestParseIDFindsMistakes(t *testing.T) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	for range 5 {
		key, err := NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		text := key.ID().String()
		if got, err := ParseID(text); got != key.ID() || err != nil {
			t.Fatalf("ParseID(%s) = %v, %v", text, got, err)
		}
		for i := len(idPrefix); i < len(text); i++ {
			for _, c := range []byte(alphabet) {
				if wrong := text[:i] + string(c) + text[i+1:]; wrong != text {
					if _, err := ParseID(wrong); err != ErrBadID {
						t.Fatalf("%s passes for %s", wrong, text)
					}
				}
			}
			if i > len(idPrefix) && text[i] != text[i-1] {
				if _, err := ParseID(text[:i-1] + text[i:i+1] + text[i-1:i] + text[i+1:]); err != ErrBadID {
					t.Fatalf("%s with %d and %d exchanged passes", text, i-1, i)
				}
			}
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(fixedText)
	f.Add("cn1" + strings.Repeat("\n", 56))
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err != nil && err != ErrBadID {
			t.Fatalf("error %v", err)
		}
		if again, err2 := ParseID(id.String()); err == nil && (again != id || err2 != nil) {
			t.Fatalf("%q is %v, whose text is %v, %v", text, id, again, err2)
		}
	})
}

func TestProof(t *testing.T) {
	key := fixedKey(t)
	other, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	nonce, origin := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	proof := key.Prove(nonce, origin)

	// The layout, written out: a node in any language checks this.
	text := append([]byte("chatnode/hello/1\x20"), nonce...)
	if !ed25519.Verify(key.Public(), append(text, origin...), proof) {
		t.Error("the proof is no signature over label, length, nonce and origin")
	}
	tests := map[string]struct {
		key                  ed25519.PublicKey
		proof, nonce, origin []byte
		want                 bool
	}{
		"good":                   {key.Public(), proof, nonce, origin, true},
		"another nonce":          {key.Public(), proof, bytes.Repeat([]byte{3}, 32), origin, false},
		"another origin":         {key.Public(), proof, nonce, bytes.Repeat([]byte{3}, 16), false},
		"another key":            {other.Public(), proof, nonce, origin, false},
		"another's proof":        {key.Public(), other.Prove(nonce, origin), nonce, origin, false},
		"boundary moved":         {key.Public(), proof, append(bytes.Clone(nonce), origin[0]), origin[1:], false},
		"no key":                 {nil, proof, nonce, origin, false},
		"short key":              {key.Public()[:31], proof, nonce, origin, false},
		"long key":               {append(bytes.Clone(key.Public()), 0), proof, nonce, origin, false},
		"no proof":               {key.Public(), nil, nonce, origin, false},
		"short proof":            {key.Public(), proof[:63], nonce, origin, false},
		"long proof":             {key.Public(), append(bytes.Clone(proof), 0), nonce, origin, false},
		"signature of something": {key.Public(), ed25519.Sign(key.private, append(bytes.Clone(nonce), origin...)), nonce, origin, false},
	}
	for name, tt := range tests {
		if got := CheckProof(tt.key, tt.proof, tt.nonce, tt.origin); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
