package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"testing"
)

// A derived secret is the same for ever: what was sealed to it would be lost. Checked against another implementation of RFC 5869.
func TestDerive(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := NewKey(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	const want = "dc0feb106f3452b5065676a951884b9c9e932a1543a937b3a6088ea4af7c615c"
	if got := hex.EncodeToString(key.Derive("chatnode/seal/secret/1")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bytes.Equal(key.Derive("a"), key.Derive("b")) {
		t.Error("two domains have one secret")
	}
}

func TestSign(t *testing.T) {
	key, other := newKey(t), newKey(t)
	signature := key.Sign("domain", []byte("text"))
	small := make(ed25519.PublicKey, ed25519.PublicKeySize)
	for name, test := range map[string]struct {
		key          ed25519.PublicKey
		domain, text string
		signature    []byte
		want         bool
	}{
		"as it was made":       {key.Public(), "domain", "text", signature, true},
		"by another key":       {other.Public(), "domain", "text", signature, false},
		"of another domain":    {key.Public(), "Domain", "text", signature, false},
		"of another text":      {key.Public(), "domain", "Text", signature, false},
		"cut":                  {key.Public(), "domain", "text", signature[:63], false},
		"none":                 {key.Public(), "domain", "text", nil, false},
		"by a key too short":   {key.Public()[:31], "domain", "text", signature, false},
		"by no key":            {nil, "domain", "text", signature, false},
		"by a key of no order": {small, "domain", "text", make([]byte, 64), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckSignature(test.key, test.domain, []byte(test.text), test.signature); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
