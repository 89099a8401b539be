// Package identity holds keys and what is derived from them: the id by which people know a key, and the proof that a connection's other
// end has it. It is not where names are kept: a name is the node's to grant.
package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ID is the name of a key: the SHA-256 of its SubjectPublicKeyInfo (RFC 5280). People see it as text, "cn1" and 56 characters.
type ID [sha256.Size]byte

const (
	idPrefix   = "cn1"
	sumLen     = 3
	idTextLen  = len(idPrefix) + (sha256.Size+sumLen)*8/5
	sumDomain  = "chatnode/checksum/1"
	proofLabel = "chatnode/hello/1"
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrBadID says that a text is not an id, or has a typing mistake in it.
var ErrBadID = errors.New("not a valid id")

// IDOf returns the id of a public key, which must be 32 bytes long.
func IDOf(key ed25519.PublicKey) ID {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic("identity: marshal an ed25519 key: " + err.Error()) // can't fail for this type
	}
	return sha256.Sum256(spki)
}

// String returns "cn1" and the base32 (RFC 4648, lower case) of the id and its checksum: the first 3 bytes of SHA-256 over a label and
// the id.
func (id ID) String() string {
	return idPrefix + idEncoding.EncodeToString(append(id[:], id.checksum()...))
}

// groupLen is how many characters of an id are read aloud at a time.
const groupLen = 8

// Grouped returns String in pieces for reading aloud and comparing by eye: "cn1" and 7 groups of 8 characters, with hyphens between them.
// ParseID reads it.
func (id ID) Grouped() string {
	var b strings.Builder
	b.WriteString(idPrefix)
	for rest := id.String()[len(idPrefix):]; rest != ""; rest = rest[groupLen:] {
		b.WriteString("-" + rest[:groupLen])
	}
	return b.String()
}

// IsZero reports whether id names no key.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) checksum() []byte {
	sum := sha256.Sum256(append([]byte(sumDomain), id[:]...))
	return sum[:sumLen]
}

// ParseID reads what ID.String writes; spaces, hyphens and capitals are forgiven. It returns ErrBadID for anything else.
func ParseID(s string) (ID, error) {
	s = strings.NewReplacer(" ", "", "-", "").Replace(strings.ToLower(s))
	if len(s) != idTextLen || !strings.HasPrefix(s, idPrefix) {
		return ID{}, ErrBadID
	}
	raw, err := idEncoding.DecodeString(s[len(idPrefix):])
	if err != nil || len(raw) != sha256.Size+sumLen { // the library passes over line ends
		return ID{}, ErrBadID
	}
	id := ID(raw[:sha256.Size])
	if string(id.checksum()) != string(raw[sha256.Size:]) {
		return ID{}, ErrBadID
	}
	return id, nil
}

// Key is one ed25519 key pair (RFC 8032).
type Key struct {
	private ed25519.PrivateKey
	id      ID
}

// NewKey makes a key from random, which is crypto/rand.Reader outside tests.
func NewKey(random io.Reader) (*Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return keyOf(ed25519.NewKeyFromSeed(seed)), nil
}

func keyOf(private ed25519.PrivateKey) *Key {
	return &Key{private: private, id: IDOf(private.Public().(ed25519.PublicKey))}
}

// ID returns the key's id.
func (k *Key) ID() ID { return k.id }

// Public returns the public half, 32 bytes.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// Prove returns the signature that shows a node, on one connection, that its other end has the key: over a label, the connection's
// nonce and the origin that the connection will use.
func (k *Key) Prove(nonce, origin []byte) []byte {
	return ed25519.Sign(k.private, proofText(nonce, origin))
}

// CheckProof reports whether proof was made by key's owner for this nonce and origin.
func CheckProof(key ed25519.PublicKey, proof, nonce, origin []byte) bool {
	return len(key) == ed25519.PublicKeySize && !hasSmallOrder(key) && ed25519.Verify(key, proofText(nonce, origin), proof)
}

func proofText(nonce, origin []byte) []byte {
	text := append([]byte(proofLabel), byte(len(nonce)))
	text = append(text, nonce...)
	return append(text, origin...)
}

// Text returns the key, the private half too, as text that ParseKey reads: PKCS #8 in PEM (RFC 7468), so that openssl does as well.
func (k *Key) Text() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		panic("identity: marshal an ed25519 key: " + err.Error()) // can't fail for this type
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
}

// ParseKey reads what Key.Text returns.
func ParseKey(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, errors.New("that is not a key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("that is not an ed25519 key")
	}
	return keyOf(private), nil
}

// pemType is the type of a PKCS #8 key in PEM.
const pemType = "PRIVATE KEY"

// LoadOrMake reads the key in file, or makes one from random and writes it there for its owner's eyes alone. A file that others
// can read or that holds something else is refused and left as it is.
func LoadOrMake(file string, random io.Reader) (*Key, error) {
	key, err := Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeFile(file, random)
	}
	return key, err
}

// Load reads the key in file, which is refused like one of LoadOrMake. Of one that is not there it returns fs.ErrNotExist.
func Load(file string) (*Key, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	if info, err := os.Stat(file); err == nil && othersCanRead(info) {
		return nil, fmt.Errorf("others can read the key; run: chmod 600 '%s'", file)
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// makeFile writes a new key beside file and links it into place, so that of two processes that start at once one wins and both use
// its key.
func makeFile(file string, random io.Reader) (*Key, error) {
	key, err := NewKey(random)
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".key-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(key.Text())
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	if err := os.Link(temp.Name(), file); errors.Is(err, fs.ErrExist) {
		return Load(file) // not LoadOrMake: a link to nowhere exists and can't be read, for ever
	} else if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return key, nil
}
