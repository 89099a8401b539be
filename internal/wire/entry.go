package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"chatnode/internal/chat"
)

// LogID names a log: SHA-256("chatnode/log/1" ‖ Node ‖ Nonce ‖ length of Room, 2 bytes ‖ Room)[:16].
type LogID [16]byte

// EntryID names an entry: SHA-256("chatnode/entry/1" ‖ LogID ‖ the encoded Entry). It covers neither the signature nor the text, of which the entry has a hash.
type EntryID [32]byte

// Log is what one store adds to one room: entries 1, 2, 3, …, each with the id of the one before it and signed by the store's node. A store that was put
// back to an earlier state goes on under another nonce, so that no log ever says two things at one place.
type Log struct {
	_     struct{} `cbor:",toarray"`
	Node  []byte   // the node's ed25519 public key, 32 bytes
	Nonce uint64   // random
	Room  string   // the room's name; of a direct conversation DirectMark and the ids of the two keys as text, in the order of their bytes, with a space between them
}

// Entry is one row of a room as the node that took it vouches for it. Epoch, Num, Row, From, CSeq, Time, Name, Kind, Re and Sum are what the message's id
// is made of (chat.Header), in that node's own numbers.
type Entry struct {
	_       struct{} `cbor:",toarray"`
	Seq     uint64   // in its log, from 1
	Prev    []byte   // EntryID of the entry before it; of the first empty
	Lamport uint64   // 1 + the highest of the entry before it and of Deps
	Deps    []Dep    // what its node had in the room of other logs, as far as the entry before it does not have it; at most MaxDeps, those of the highest Lamport
	Epoch   uint64
	Num     uint64
	Row     uint64
	From    uint64
	CSeq    uint64
	Time    int64 // milliseconds since the Unix epoch, by its node's clock: for people, it orders nothing
	Name    string
	Kind    chat.Kind
	Re      []byte // id of the message answered, 8 bytes; empty: none
	Author  []byte // key id, 32 bytes
	Origin  []byte // 16 bytes: the public name of the author's origin, see OriginName
	Sum     []byte // SHA-256(salt ‖ body), 32 bytes
	Opts    EntryOpts
}

// MaxDeps bounds what an entry depends on besides the entry before it.
const MaxDeps = 8

// MaxWith bounds EntryOpts.With, so that an entry keeps to MaxEntry.
const MaxWith = 800

// Dep is an entry of another log of the same room.
type Dep struct {
	_   struct{} `cbor:",toarray"`
	Log LogID
	Seq uint64
	ID  []byte // the first 16 bytes of its EntryID
}

// EntryOpts is what only some entries carry.
type EntryOpts struct {
	As     *As      `cbor:"1,keyasint,omitempty"` // the pair under which it was first offered to another node
	Sig    []byte   `cbor:"2,keyasint,omitempty"` // of an act: its author's public key and signature, identity.ActSigLen bytes
	Target *Dep     `cbor:"3,keyasint,omitempty"` // of the act redact: whose text it takes away
	With   [][]byte `cbor:"4,keyasint,omitempty"` // of the act private: the key ids of who was there, and are members; at most MaxWith
	Admin  bool     `cbor:"5,keyasint,omitempty"` // of an act: the node says that its author is an admin
	Owner  []byte   `cbor:"6,keyasint,omitempty"` // of the first entry of a log: the key id of whom the node holds for the room's owner, 32 bytes
	Made   int64    `cbor:"7,keyasint,omitempty"` // of the first entry of a log: when the node says that the room was made, milliseconds
}

// ID returns the log's name.
func (l *Log) ID() (id LogID) {
	h := sha256.New()
	h.Write([]byte("chatnode/log/1"))
	h.Write(l.Node)
	h.Write(binary.BigEndian.AppendUint64(nil, l.Nonce))
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(l.Room))))
	h.Write([]byte(l.Room))
	copy(id[:], h.Sum(nil))
	return id
}

// EntryIDOf returns the id of an encoded entry of a log.
func EntryIDOf(log LogID, entry []byte) (id EntryID) {
	h := sha256.New()
	h.Write([]byte("chatnode/entry/1"))
	h.Write(log[:])
	h.Write(entry)
	h.Sum(id[:0])
	return id
}

// EntryDomain is what a node's key signs an EntryID under: see identity.Key.Sign.
const EntryDomain = "chatnode/entry/sign/1"

// AddressesDomain is what a node's key signs the encoded [Key, Hosts, Expires] of its SignedAddresses under.
const AddressesDomain = "chatnode/addresses/1"

// OriginName returns what all nodes call the origin that a client and its node know by a token: SHA-256("chatnode/origin/1" ‖ token)[:16].
func OriginName(token [16]byte) (name [16]byte) {
	sum := sha256.Sum256(append([]byte("chatnode/origin/1"), token[:]...))
	return [16]byte(sum[:16])
}

// Encode returns the entry as it is hashed and signed.
func (e *Entry) Encode() []byte { return EncodeRaw(e) }

// Header returns what the message's id is made of.
func (e *Entry) Header() chat.Header {
	h := chat.Header{Epoch: e.Epoch, Room: e.Num, Seq: e.Row, From: e.From, CSeq: e.CSeq, Time: e.Time, Kind: e.Kind, Name: e.Name}
	copy(h.Re[:], e.Re)
	return h
}

// DecodeEntry decodes an Entry, and returns an error that wraps ErrMalformed for anything else, an entry of more than MaxEntry bytes among it, and one that
// is not encoded as it would be here: of one entry there is one encoding. What it says is for Check to judge.
func DecodeEntry(b []byte) (*Entry, error) {
	if len(b) > MaxEntry {
		return nil, fmt.Errorf("%w: an entry of %d bytes", ErrMalformed, len(b))
	}
	e := new(Entry)
	if err := decodeArray(b, e, entryShape); err != nil {
		return nil, err
	}
	if !bytes.Equal(e.Encode(), b) {
		return nil, fmt.Errorf("%w: an entry in another encoding", ErrMalformed)
	}
	return e, nil
}

var entryShape, addressesShape = shapeOf(reflect.TypeFor[Entry]()), shapeOf(reflect.TypeFor[SignedAddresses]())

// Types of the records of a peer stream, both ways.
const (
	TypePeer       = 128
	TypeDigests    = 129
	TypeHeads      = 130
	TypeWant       = 131
	TypeEntries    = 132
	TypeHave       = 133
	TypeLazy       = 134
	TypeFork       = 135
	TypeAddresses  = 136
	TypePeerPeople = 137
	TypeTrimmed    = 138
)

// Peer is the first record of both sides of a peer stream. Whoever does not agree answers with a Bye on the same stream, and closes.
type Peer struct {
	_       struct{} `cbor:",toarray"`
	Type    uint8
	Version uint64
	Space   []byte // 16 bytes
	Key     []byte // the node's ed25519 public key, 32 bytes: the one of the link's encryption
	Nonce   uint64 // of the logs that it writes now
	Title   string
	Kept    bool   // it has rows
	Token   []byte // of an invitation for nodes, TokenLen bytes; empty: none
	Record  []byte // its own SignedAddresses, encoded; empty: it can't be dialled
}

// Digests say what a node has of each room that the peer may read: see Digest. A room that the other does not have as it is here is answered with Heads.
type Digests struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Rooms []RoomDigest // at most MaxHeads
	Last  bool         // no more of them follow
}

// RoomDigest is the digest of one room, named as in Log.
type RoomDigest struct {
	_      struct{} `cbor:",toarray"`
	Room   string
	Digest [8]byte
}

// Digest returns what stands for all of a room's logs: SHA-256 over LogID ‖ seq of the head, 8 bytes ‖ Head.ID of each, in the order of the LogIDs, cut to 8
// bytes. A log of which there is nothing, with a head of 0, counts for nothing.
func Digest(heads []Head) (digest [8]byte) {
	var logs [][]byte
	for i := range heads {
		if h := &heads[i]; h.Seq > 0 {
			id := h.Log.ID()
			logs = append(logs, append(binary.BigEndian.AppendUint64(id[:], h.Seq), h.ID...))
		}
	}
	slices.SortFunc(logs, bytes.Compare)
	sum := sha256.Sum256(bytes.Join(logs, nil))
	copy(digest[:], sum[:])
	return digest
}

// Heads say which logs of a room a node has, and how much of each.
type Heads struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Heads []Head // at most MaxHeads
	Ask   bool   // the other is to say its own of Room
	Room  string // of all of them
}

// Head is how much a node has of one log: the entries Low to Seq.
type Head struct {
	_   struct{} `cbor:",toarray"`
	Log Log
	Low uint64 // what is below is not kept any more, or not the other's to read
	Seq uint64
	ID  []byte // the first 16 bytes of the EntryID of the last
	// Private says that on the node only its members read the room. Who begins the log at Low, and does not learn by which act that came, keeps it so.
	Private bool
}

// Want asks for the entries From to To of a log, at most MaxEntries, and with Eager for those that will follow, as they come.
type Want struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Log   LogID
	From  uint64
	To    uint64 // 0: only Eager counts
	Eager bool
}

// Entries are entries of a log, one behind the other.
type Entries struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Log   LogID
	First uint64   // the seq of the first of them
	List  []Signed // at most MaxEntries
}

// Signed is an entry as it travels.
type Signed struct {
	_     struct{} `cbor:",toarray"`
	Entry []byte   // an Entry, as its node encoded it
	Sig   []byte   // the node's, over the EntryID, 64 bytes: see EntryDomain
	Salt  []byte   // 16 bytes; empty where the text was taken away
	Body  []byte
}

// Have says how far logs have grown, to whom their entries are not sent unasked.
type Have struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Logs []Grown // at most MaxGrown
}

// Grown is the new head of a log that the other was told of by Heads.
type Grown struct {
	_   struct{} `cbor:",toarray"`
	Log LogID
	Seq uint64
}

// Lazy asks for no more entries of these logs: they come by another link sooner.
type Lazy struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Logs []LogID // at most MaxGrown
}

// Trimmed answers a Want of entries that are not kept any more.
type Trimmed struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Log  LogID
	Low  uint64 // the first that can be had
	// Private is as that of a Head.
	Private bool
}

// Fork proves that a log says two things at one place: two entries of one seq, both signed.
type Fork struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Log  Log
	A, B Signed // without texts; that of the lower EntryID first
}

// Addresses pass on where nodes are reached: encoded SignedAddresses, at most MaxAddresses.
type Addresses struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	List [][]byte
}

// Bounds on addresses that nodes pass on.
const (
	MaxAddresses = 32 // nodes in one record
	MaxHosts     = 4  // of one node
)

// SignedAddresses is where a node is reached, by its own word.
type SignedAddresses struct {
	_       struct{} `cbor:",toarray"`
	Key     []byte   // the node's ed25519 public key
	Hosts   []string // host:port, at most MaxHosts
	Expires int64    // milliseconds since the Unix epoch, at most a day ahead
	Sig     []byte   // over the others: see Text
}

// Text returns what Sig is made of, under AddressesDomain: the encoded [Key, Hosts, Expires].
func (s *SignedAddresses) Text() []byte {
	return EncodeRaw(&struct {
		_       struct{} `cbor:",toarray"`
		Key     []byte
		Hosts   []string
		Expires int64
	}{Key: s.Key, Hosts: s.Hosts, Expires: s.Expires})
}

// Encode returns the addresses as Peer.Record and Addresses carry them.
func (s *SignedAddresses) Encode() []byte { return EncodeRaw(s) }

// DecodeAddresses decodes SignedAddresses, and returns an error that wraps ErrMalformed for anything else, and for what is beyond the bounds. The signature
// and the time are the caller's to check.
func DecodeAddresses(b []byte) (*SignedAddresses, error) {
	s := new(SignedAddresses)
	if len(b) > MaxAddressRecord {
		return nil, fmt.Errorf("%w: addresses of %d bytes", ErrMalformed, len(b))
	}
	if err := decodeArray(b, s, addressesShape); err != nil {
		return nil, err
	}
	err := first(
		malformed(len(s.Key) == ed25519.PublicKeySize && len(s.Sig) == ed25519.SignatureSize, "a node's key or signature is of a wrong length"),
		malformed(s.Expires >= 0 && s.Expires <= MaxCount, "addresses that end at no time"), checkHosts(s.Hosts))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// PeerPeople tells who is on nodes. It is passed on, coalesced, and dropped first.
type PeerPeople struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Nodes []NodePeople
}

// NodePeople is who is on one node: it replaces what was said of that node under a lower Version, and is good for a minute and a half.
type NodePeople struct {
	_       struct{} `cbor:",toarray"`
	Node    []byte   // key id
	Title   string
	Version uint64   // milliseconds since the Unix epoch, by that node's clock
	People  []Abroad // at most MaxAbroad
	Count   uint64   // of all
	Hops    uint64   // links that it has come over; beyond MaxHops it is not passed on
}

// Bounds on who is told to be elsewhere.
const (
	MaxAbroad      = 256
	MaxAbroadRooms = 64
	MaxHops        = 16
)

// Fit drops People from the end until n, encoded, has at most size bytes. Count stays: it is of all.
func (n *NodePeople) Fit(size int) {
	people := n.People
	n.People = nil
	left := size - len(EncodeRaw(n)) - HeaderLen // the list's own head may take some
	for i := range people {
		if left -= len(EncodeRaw(&people[i])); left < 0 {
			people = people[:i]
			break
		}
	}
	n.People = people
}

// Abroad is somebody who is on another node.
type Abroad struct {
	_     struct{} `cbor:",toarray"`
	Key   []byte   // key id
	Name  string
	Card  []byte // what is sealed to them with; empty: they have shown none
	Away  bool
	Rooms []string // that the peer may read; at most MaxAbroadRooms
}
