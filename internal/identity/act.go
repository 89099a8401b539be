package identity

import (
	"crypto/ed25519"
	"encoding/binary"
	"math"
)

// The domains keep signatures of acts apart from every other use of a key: of acts for one node, and for whichever has the epoch, as they were once made.
const (
	actDomain    = "chatnode/act/2"
	oldActDomain = "chatnode/act/1"
)

// ActSigLen is the length of an act's signature, in bytes: the public key that made it, and what it made.
const ActSigLen = ed25519.PublicKeySize + ed25519.SignatureSize

// SignedAct is what a signature of an act covers: what is done, where, on which node, and as which publish of which origin of its store. So it can't be taken
// for another act, or for one that another node was given, and whoever holds the row can check it without asking the node that made it.
type SignedAct struct {
	Node  ID     // that took it; zero: not said, as in signatures of before there were several
	Epoch uint64 // of the store that took it
	From  uint64 // the origin's number there
	CSeq  uint64
	Room  string // as chat.SignedRoom returns it
	Body  []byte
}

// text returns actDomain and the node, or oldActDomain without one, the three numbers as 64-bit big-endian integers, and the room's name and the body, each
// behind its length as 16 bits; nothing when a length does not fit.
func (a *SignedAct) text() []byte {
	if len(a.Room) > math.MaxUint16 || len(a.Body) > math.MaxUint16 {
		return nil
	}
	b := append([]byte(actDomain), a.Node[:]...)
	if a.Node.IsZero() {
		b = []byte(oldActDomain)
	}
	for _, n := range [...]uint64{a.Epoch, a.From, a.CSeq} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(a.Room))), a.Room...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(a.Body))), a.Body...)
}

// SignAct returns the signature that an act carries, ActSigLen bytes. Room and Body have at most 65,535 bytes each.
func (k *Key) SignAct(a *SignedAct) []byte {
	return append(append(make([]byte, 0, ActSigLen), k.Public()...), ed25519.Sign(k.private, a.text())...)
}

// SignedBy reports whether sig was made for this act by the owner of the key that id names.
func (a *SignedAct) SignedBy(id ID, sig []byte) bool {
	text := a.text()
	if len(sig) != ActSigLen || text == nil {
		return false
	}
	key := ed25519.PublicKey(sig[:ed25519.PublicKeySize])
	return IDOf(key) == id && !hasSmallOrder(key) && ed25519.Verify(key, text, sig[ed25519.PublicKeySize:])
}
