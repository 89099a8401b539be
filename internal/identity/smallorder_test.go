package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"testing"
)

// Each key of small order has signatures that took no secret to make, and none of them proves anything.
func TestSmallOrderKeysProveNothing(t *testing.T) {
	origin := make([]byte, 16)
	for y := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := ed25519.PublicKey(append([]byte(nil), y[:]...))
			key[31] |= sign
			forged := make([]byte, ed25519.SignatureSize)
			forged[0] = 1 // R is the neutral element, S is 0
			verifies := false
			for i := range uint64(400) {
				nonce := binary.BigEndian.AppendUint64(nil, i)
				verifies = verifies || ed25519.Verify(key, proofText(nonce, origin), forged)
				if CheckProof(key, forged, nonce, origin) {
					t.Fatalf("a forged proof of key %x is taken", key)
				}
			}
			t.Logf("key %x has forged signatures: %v", key, verifies)
		}
	}
	key, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if hasSmallOrder(key.Public()) {
		t.Errorf("an ordinary key %x is said to have a small order", key.Public())
	}
}
