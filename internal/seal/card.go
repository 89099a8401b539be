package seal

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"

	"chatnode/internal/identity"
)

// Sizes of a card, in bytes: a key, the X25519 key that is sealed to, and the first key's signature over the second.
const (
	x25519Len = 32
	CardLen   = ed25519.PublicKeySize + x25519Len + ed25519.SignatureSize
)

const (
	secretDomain = "chatnode/seal/secret/1"
	cardDomain   = "chatnode/seal/card/1"
)

// ErrCard says that some bytes are no card of a key.
var ErrCard = errors.New("that is not a sealing key with its owner's signature")

// Peer is somebody to whom texts can be sealed.
type Peer struct {
	ID  identity.ID
	key hpke.PublicKey
}

// ReadCard returns whose card that is. It returns ErrCard for one that its owner has not signed, so that a node which passes cards on can put no
// key of its own in their place.
func ReadCard(card []byte) (*Peer, error) {
	if len(card) != CardLen {
		return nil, ErrCard
	}
	owner, public, signature := ed25519.PublicKey(card[:ed25519.PublicKeySize]), card[ed25519.PublicKeySize:CardLen-ed25519.SignatureSize], card[CardLen-ed25519.SignatureSize:]
	if !identity.CheckSignature(owner, cardDomain, public, signature) {
		return nil, ErrCard
	}
	key, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, ErrCard
	}
	if _, _, err := hpke.NewSender(key, kdf, aead, nil); err != nil {
		return nil, ErrCard // a point of small order (RFC 7748, section 6.1): nothing can be sealed to it
	}
	return &Peer{ID: identity.IDOf(owner), key: key}, nil
}

// Self is the one who seals and opens.
type Self struct {
	// Static after construction.
	key    *identity.Key
	secret hpke.PrivateKey
	card   []byte
}

// NewSelf returns the owner of key. All devices that have the key open what is sealed to any of them.
func NewSelf(key *identity.Key) *Self {
	scalar, err := ecdh.X25519().NewPrivateKey(key.Derive(secretDomain))
	if err != nil {
		panic("seal: an X25519 key: " + err.Error()) // any 32 bytes are one
	}
	secret, err := hpke.NewDHKEMPrivateKey(scalar)
	if err != nil {
		panic("seal: an X25519 key for HPKE: " + err.Error())
	}
	public := scalar.PublicKey().Bytes()
	card := append([]byte(key.Public()), public...)
	return &Self{key: key, secret: secret, card: append(card, key.Sign(cardDomain, public)...)}
}

// Card returns what others need to seal to this key: CardLen bytes, which ReadCard reads. It is no secret.
func (s *Self) Card() []byte { return append([]byte(nil), s.card...) }
