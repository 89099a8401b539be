package identity

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
)

// Derive returns a secret of 32 bytes that follows from the key and a domain, and tells nothing of either: HKDF-SHA-256 (RFC 5869) of the key's seed,
// without a salt. Every device that has the key derives the same.
func (k *Key) Derive(domain string) []byte {
	secret, err := hkdf.Key(sha256.New, k.private.Seed(), nil, domain, sha256.Size)
	if err != nil {
		panic("identity: derive a secret: " + err.Error()) // can't fail for this length
	}
	return secret
}

// Sign returns the key's signature (ed25519, 64 bytes) over a domain and what is said in it. No domain may begin with another.
func (k *Key) Sign(domain string, text []byte) []byte {
	return ed25519.Sign(k.private, append([]byte(domain), text...))
}

// CheckSignature reports whether signature is what the owner of key got from Sign.
func CheckSignature(key ed25519.PublicKey, domain string, text, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && !hasSmallOrder(key) && ed25519.Verify(key, append([]byte(domain), text...), signature)
}
