// Package seal closes a text so that only the two of a conversation can read it, whoever carries and keeps it. A fresh content key encrypts the
// text (AES-256-GCM) and is itself encrypted to both by HPKE (RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), so that the author's
// other devices read it too; inside is the author's signature. It is pure but for the randomness of crypto/rand, and knows nothing of connections.
//
// There is no forward secrecy: who gets hold of a key reads all that was ever sealed to it.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// A sealed text is: version (1 byte) ‖ author (1) ‖ origin (16) ‖ the content key to the first of the two (80) ‖ to the second (80) ‖ the box: AES-256-GCM
// under the content key, with a nonce of zeros, as the key is used once, of kind (1) ‖ author's key (32) ‖ signature (64) ‖ length (2) ‖ text ‖ zeros. The
// two are in the ascending order of their key ids; author is 0 or 1, which of them wrote.
const (
	version    = 1
	tagLen     = 16
	wrapLen    = x25519Len + contentLen + gcmLen
	contentLen = 32 // the content key
	gcmLen     = 16 // what GCM adds
	headerLen  = 2 + tagLen
	boxAt      = headerLen + 2*wrapLen
	insideLen  = 1 + ed25519.PublicKeySize + ed25519.SignatureSize
	lengthLen  = 2
	minPadded  = 64 // the shortest length and text
	maxPadded  = lengthLen + chat.MaxText
	// MaxLen is the length of the longest sealed text, in bytes, MinLen that of the shortest.
	MaxLen = boxAt + insideLen + maxPadded + gcmLen
	MinLen = boxAt + insideLen + minPadded + gcmLen
)

const (
	boundDomain     = "chatnode/seal/1"
	signatureDomain = "chatnode/seal/text/1"
	originDomain    = "chatnode/seal/origin/1"
)

// ErrUnreadable says that a sealed text can't be opened, or is not what it says it is.
var ErrUnreadable = errors.New("unreadable")

var (
	kem  = hpke.DHKEM(ecdh.X25519())
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// Origin is what readers know an origin by: its token is a secret of the client and its node.
type Origin [tagLen]byte

// OriginOf returns what readers know the origin of that token by: the first 16 bytes of SHA-256 over a domain and the token.
func OriginOf(token [16]byte) Origin {
	sum := sha256.Sum256(append([]byte(originDomain), token[:]...))
	return Origin(sum[:tagLen])
}

// Mark is what a text is bound to besides its two people and its author: it opens nowhere else.
type Mark struct {
	Origin Origin
	CSeq   uint64
	Re     chat.ID // the message answered, or zero
}

// Text is what is sealed.
type Text struct {
	Kind chat.Kind // chat.Text or chat.Action
	Body string    // at most chat.MaxText bytes; Open returns it as the author has sealed it, clean or not
}

// Opened is what was sealed, and what is proved of it.
type Opened struct {
	Text
	Author identity.ID // one of the two
	Origin Origin      // of the author
}

// Len returns how long a text of n bytes is when it is sealed. What is around the text, its kind and its length in all tell only between which powers
// of two that length is.
func Len(n int) int { return boxAt + insideLen + padded(n) + gcmLen }

// padded returns how many bytes a length and a text of n bytes take: a power of two, but no more than the longest text needs.
func padded(n int) int {
	size := minPadded
	for size < lengthLen+n {
		size *= 2
	}
	return min(size, maxPadded)
}

// Seal returns t for to and for the author's own devices. It panics for a text or a kind that can't be sealed.
func (s *Self) Seal(to *Peer, m Mark, t Text) []byte {
	if len(t.Body) > chat.MaxText || t.Kind != chat.Text && t.Kind != chat.Action {
		panic("seal: that can't be sealed")
	}
	own := &Peer{ID: s.key.ID(), key: s.secret.PublicKey()}
	pair := [2]*Peer{own, to}
	author := byte(0)
	if bytes.Compare(own.ID[:], to.ID[:]) > 0 {
		pair[0], pair[1], author = to, own, 1
	}
	bound := bind(pair[0].ID, pair[1].ID, author, m)

	var content [contentLen]byte
	_, _ = rand.Read(content[:]) // never fails
	out := make([]byte, 0, Len(len(t.Body)))
	out = append(append(out, version, author), m.Origin[:]...)
	for _, p := range pair {
		wrap, err := hpke.Seal(p.key, kdf, aead, bound, content[:])
		if err != nil {
			panic("seal: " + err.Error()) // the key was checked when it was read
		}
		out = append(out, wrap...)
	}

	inside := make([]byte, 0, insideLen+padded(len(t.Body)))
	inside = append(append(inside, byte(t.Kind)), s.key.Public()...)
	inside = append(inside, s.key.Sign(signatureDomain, signed(bound, t))...)
	inside = binary.BigEndian.AppendUint16(inside, uint16(len(t.Body)))
	inside = append(inside, t.Body...)
	inside = inside[:cap(inside)]
	return box(&content).Seal(out, make([]byte, gcmNonce), inside, append(bound, out...))
}

// Open returns what one of the two sealed: the owner of s or with. The number is that of the message which carries it, as is the message
// answered; the origin is said within. It returns an error that wraps ErrUnreadable for what neither of them sealed for just that place.
func (s *Self) Open(with identity.ID, cseq uint64, re chat.ID, sealed []byte) (Opened, error) {
	if len(sealed) < MinLen || len(sealed) > MaxLen || sealed[0] != version || sealed[1] > 1 {
		return Opened{}, fmt.Errorf("%w: not a sealed text", ErrUnreadable)
	}
	pair, mine := [2]identity.ID{s.key.ID(), with}, 0
	if bytes.Compare(pair[0][:], pair[1][:]) > 0 {
		pair[0], pair[1], mine = pair[1], pair[0], 1
	}
	o := Opened{Author: pair[sealed[1]], Origin: Origin(sealed[2:headerLen])}
	bound := bind(pair[0], pair[1], sealed[1], Mark{Origin: o.Origin, CSeq: cseq, Re: re})
	at := headerLen + mine*wrapLen
	content, err := hpke.Open(s.secret, kdf, aead, bound, sealed[at:at+wrapLen])
	if err != nil || len(content) != contentLen {
		return Opened{}, fmt.Errorf("%w: sealed to another key, or for another place", ErrUnreadable)
	}
	inside, err := box((*[contentLen]byte)(content)).Open(nil, make([]byte, gcmNonce), sealed[boxAt:], append(bytes.Clone(bound), sealed[:boxAt]...))
	if err != nil {
		return Opened{}, fmt.Errorf("%w: it was changed on its way", ErrUnreadable)
	}
	if o.Text, err = unpack(inside, o.Author, bound); err != nil {
		return Opened{}, err
	}
	return o, nil
}

// unpack takes the inside of a box apart and checks that it is the author's, of whom the box itself proves nothing: either of the two could have made it.
func unpack(inside []byte, author identity.ID, bound []byte) (Text, error) {
	key, rest := ed25519.PublicKey(inside[1:1+ed25519.PublicKeySize]), inside[1+ed25519.PublicKeySize:]
	signature, padding := rest[:ed25519.SignatureSize], rest[ed25519.SignatureSize:]
	size := int(binary.BigEndian.Uint16(padding))
	if size > chat.MaxText || len(padding) != padded(size) || len(bytes.Trim(padding[lengthLen+size:], "\x00")) > 0 {
		return Text{}, fmt.Errorf("%w: its length is wrong", ErrUnreadable)
	}
	t := Text{Kind: chat.Kind(inside[0]), Body: string(padding[lengthLen : lengthLen+size])}
	switch {
	case t.Kind != chat.Text && t.Kind != chat.Action:
		return Text{}, fmt.Errorf("%w: of kind %v, which is never sealed", ErrUnreadable, t.Kind)
	case identity.IDOf(key) != author || !identity.CheckSignature(key, signatureDomain, signed(bound, t), signature):
		return Text{}, fmt.Errorf("%w: its author has not signed it", ErrUnreadable)
	}
	return t, nil
}

// bind returns the bytes that say between whom, by whom, and as which message something is sealed. All of it is of fixed length.
func bind(first, second identity.ID, author byte, m Mark) []byte {
	b := append([]byte(boundDomain), first[:]...)
	b = append(append(b, second[:]...), author)
	b = binary.BigEndian.AppendUint64(append(b, m.Origin[:]...), m.CSeq)
	return append(b, m.Re[:]...)
}

// signed returns what an author signs: bound, the kind, and the text to its end.
func signed(bound []byte, t Text) []byte {
	return append(append(bytes.Clone(bound), byte(t.Kind)), t.Body...)
}

const gcmNonce = 12

func box(content *[contentLen]byte) cipher.AEAD {
	block, err := aes.NewCipher(content[:])
	if err != nil {
		panic("seal: " + err.Error()) // 32 bytes are a key
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return gcm
}
