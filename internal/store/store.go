// Package store keeps the rooms' logs and the tables beside them. It assigns nothing: numbers, hashes and rights are the sequencer's,
// and what a batch says is taken as it is, all of it or nothing.
package store

import (
	"errors"
	"net/netip"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

var (
	// ErrTrimmed says that the rows asked for are not kept any more.
	ErrTrimmed = errors.New("rows are not kept any more")
	// ErrNoRow says that a room or a row has never been.
	ErrNoRow = errors.New("no such row")
	// ErrOrder says that a batch's rows do not go on from those that are there.
	ErrOrder = errors.New("rows do not follow one another")
	// ErrSlow says that a search would take too long.
	ErrSlow = errors.New("the search takes too long")
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("store is closed")
)

// Row is one message as it is kept.
type Row struct {
	chat.Header
	Salt   [16]byte
	Body   []byte
	Sum    []byte // of a row whose text was taken away: what its id has of that, see chat.BodySum; nil otherwise. Of such a row Salt and Body are empty
	ID     chat.ID
	Hash   chat.Hash // the room's rolling hash after this row
	Record []byte    // the wire's Event, length and all: what every reader is sent; a store copies it
}

// Room is a room's entry in the table of rooms. A direct conversation has Peers and no name.
type Room struct {
	Num     uint64
	Name    string
	Topic   string
	Created int64       // milliseconds since the Unix epoch
	Owner   identity.ID // who made it
	Peers   [2]identity.ID
	Keep    Keep
	Rules   Rules
}

// Rules are what a room's moderators have set.
type Rules struct {
	ReadOnly bool          // only its owner and moderators write
	Archived bool          // nobody writes
	Private  bool          // it is for its members
	Open     uint64        // first row that everybody reads while it is not private; 0: as many as there are
	Slow     time.Duration // that lies between two messages of one person; 0: nothing
	Welcome  string        // told to whoever joins; empty: nothing is
	Pins     []chat.ID     // at most chat.MaxPins, the oldest first
}

// Keep says how much of a room's log is to be kept; what is older goes. The zero Keep leaves that to the store; with Set, a zero
// bound is none.
type Keep struct {
	Set  bool
	Age  time.Duration // of the oldest row
	Size int64         // bytes of all records
}

// Direct reports whether the room is a conversation of two.
func (r *Room) Direct() bool { return !r.Peers[0].IsZero() }

// LogName is what all nodes call the room: see wire.Log.
func (r *Room) LogName() string {
	if r.Direct() {
		return chat.DirectMark + r.Peers[0].String() + " " + r.Peers[1].String()
	}
	return r.Name
}

// OriginToken is what a client knows its origin by; a secret between the two.
type OriginToken [16]byte

// Outcome is what became of one publish: Code, and when that is OK the row (Seq 0 for a skip).
type Outcome struct {
	CSeq uint64
	Code chat.Code
	Seq  uint64
	ID   chat.ID
	Time int64
}

// Origin is a sequence of publishes of one key. Outcomes holds the last chat.MaxInFlight of them at most, oldest first. A retired
// origin takes no more: of it only Num, Key and Last are kept, and these only if it ever had a publish answered, as a row may name it.
type Origin struct {
	Num      uint64
	Token    OriginToken
	Key      identity.ID
	Last     uint64 // the last cseq that was answered
	Outcomes []Outcome
	Retired  bool
}

// Person is a key that has joined, and what hangs on it. Times are in milliseconds since the Unix epoch; 0 where an earlier version did not note them.
type Person struct {
	Key     identity.ID
	Name    string      // that belongs to the key; empty: none does
	Since   int64       // when it joined
	Seen    int64       // when it was last known to be here
	Inviter identity.ID // whose invitation it came by; zero: nobody's
	Seal    []byte      // what others seal messages to it with, SealLen bytes; nil: it has published nothing
	Remote  bool        // it has not joined here: what it wrote has come from other nodes
	Gone    bool        // it is forgotten: of what stands above only Key counts
}

// SealLen is the length of a Person's Seal: an Ed25519 public key, an X25519 public key, and the first one's signature. A store looks at none of them.
const SealLen = 32 + 32 + 64

// Stance is what a key can be to a room. The numbers stand in stores.
type Stance uint8

const (
	Moderator Stance = 1
	Member    Stance = 2 // of a private room
	Muted     Stance = 3
	Banned    Stance = 4
)

// Standing is what a key is to a room, since when and until when, and by whom. Times are in milliseconds since the Unix epoch.
type Standing struct {
	Room   uint64
	Key    identity.ID
	Stance Stance
	Since  int64
	Until  int64       // 0: without an end
	From   uint64      // of a Member: the first row that it reads; 0 of any other
	By     identity.ID // whose act it was
	Text   string      // the reason that was given
	Gone   bool        // it does not hold any more: of what stands above only Room, Key and Stance count
}

// Bar keeps a network out of a room, for as long as a key that had come from it is banned there. No row shows it.
type Bar struct {
	Room    uint64
	Network netip.Addr // as chat.Network returns it
	Key     identity.ID
	Until   int64 // as that of Standing
	Gone    bool  // it does not hold any more: of what stands above only Room, Network and Key count
}

// Invite is an invitation as a node keeps it, which can't be told from it: a hash of its token. Times are as those of Person.
type Invite struct {
	Hash    [32]byte // SHA-256 of the token
	Room    string   // where it leads; empty: nowhere in particular
	Uses    int      // how many keys may still come in by it; 0 removes it
	Expires int64
	Made    int64
	Inviter identity.ID
	Node    bool // it is for nodes, that link by it
}

// Log is one log of a room: what one node adds to it. See wire.Log. Its ends are the store's to move, as those of a room: of a Batch's Log Head, HeadID and
// Lamport don't count, and Low only where it leads on, beyond Head+1, or begins a log.
type Log struct {
	Num     uint64   // in this store, from 1
	Key     [32]byte // the node's ed25519 public key
	Nonce   uint64
	Room    uint64
	Low     uint64 // first entry that is kept, of those that lead to Head without a hole; Head+1 when none is
	Head    uint64
	HeadID  wire.EntryID
	Lamport uint64 // of the head
	Forked  uint64 // the first entry of which there are two; 0: none is known
}

// Entry is one entry of a log. Of each row of a room in a store that is shared there is one; of some entries there is no row.
type Entry struct {
	Log     uint64
	Seq     uint64
	Lamport uint64
	ID      wire.EntryID
	Room    uint64
	Row     uint64 // the row's seq, or, with Hidden, that of the last row before it was taken
	Hidden  bool   // it has no row: another one says the same, or its row was let go of
	Same    uint64 // of a hidden one: the row that says the same, with whose text its own goes; 0: none does
	Act     bool   // its kind is chat.Act
	Header  []byte // the encoded wire.Entry
	Sig     []byte // its node's; nil: this node's own, which signs when it passes the entry on
	Salt    []byte // of a hidden one, which has no row to keep them; nil: the text was taken away
	Body    []byte
}

// Place is where a row stands in a log.
type Place struct{ Row, Log, Seq uint64 }

// Abroad is what a number of an origin stands for on another node: From is that node's own, of its epoch, and Num, which is this store's, has one of them.
type Abroad struct {
	Epoch uint64
	From  uint64
	Num   uint64
	Name  [16]byte // see wire.OriginName
	Via   [32]byte // the public key of the node whose entry it was first seen in
}

// Pair is a publish by the name that all nodes know it by, see wire.As: what came under it once gets no second row. Of entries of other nodes, and of
// what was offered to another node before.
type Pair struct {
	Origin [16]byte // of an author and a wire.As, whoever puts it in makes one thing: a store does not look at it
	CSeq   uint64
	Room   uint64
	Row    uint64
}

// Peer is another node that this one knows.
type Peer struct {
	Node    identity.ID
	Key     [32]byte
	Mode    uint64 // wire.AdmitGuest and so on
	Title   string
	Hosts   []string
	Expires int64  // of Hosts, milliseconds
	Seen    int64  // when there last was a link, milliseconds
	Fault   string // what it did wrong, with the time; empty: nothing
	Gone    bool   // it is forgotten
}

// Sharing is what a store is among others: it changes seldom, and as a whole.
type Sharing struct {
	Space  [16]byte // made with the store; another's, once it has joined that
	Nonce  uint64   // of the logs that it writes
	Shared bool     // its rows have entries, or are being given them
}

// ForkProof is a log that says two things at one place: see wire.Fork.
type ForkProof struct {
	Log   uint64
	Proof []byte // the encoded wire.Fork, length and all
}

// Redaction takes the text of a row away for good: what is left of it is that it was there. See Gone.
type Redaction struct{ Room, Seq uint64 }

// Batch is what one commit makes true, all of it or nothing. Rows of a room are in the order of their seq, without a hole, and the room is
// known or among Rooms; the other entries replace those of the same number, key, hash or like, one after the other: after each of People no name may belong
// to two keys. Standings and Bars are of rooms that are known or among Rooms. Redactions come last; one of a row that is not there, or has no text any more, changes nothing. A store may keep what the entries point to, and alters none of it; the slices themselves are the caller's again when Append returns.
type Batch struct {
	Rows      []Row
	Rooms     []Room
	Origins   []Origin
	People    []Person
	Invites   []Invite
	Standings []Standing
	Bars      []Bar

	Redactions []Redaction

	// Of a store that is shared. Entries of a log are in the order of their seq and go on from its head, or from its Low where that lies beyond, and the log
	// is known or among Logs; a row has one entry at most that is not hidden. Marked are rows whose records get the option Forked, for which no search finds
	// them any more. Entries and Pairs go with the rows that they belong to; acts stay.
	Sharing *Sharing
	Logs    []Log
	Entries []Entry
	Abroad  []Abroad
	Pairs   []Pair
	Peers   []Peer
	Forks   []ForkProof
	Marked  []Redaction
}

// Empty reports whether the batch changes nothing.
func (b *Batch) Empty() bool {
	return len(b.Rows)+b.entries() == 0
}

// entries returns how many entries of tables the batch changes.
func (b *Batch) entries() int {
	n := len(b.Rooms) + len(b.Origins) + len(b.People) + len(b.Invites) + len(b.Standings) + len(b.Bars) + len(b.Redactions) +
		len(b.Logs) + len(b.Entries) + len(b.Abroad) + len(b.Pairs) + len(b.Peers) + len(b.Forks) + len(b.Marked)
	if b.Sharing != nil {
		n++
	}
	return n
}

// RoomState is a room with the ends of its log.
type RoomState struct {
	Room
	Low  uint64 // first seq that is kept; Head+1 when none is
	Head uint64 // last seq, 0 when there is none
	Hash chat.Hash
	Time int64 // of the last row
}

// State is all that the sequencer needs to go on where the last one ended.
type State struct {
	Epoch     uint64
	LastRoom  uint64 // highest number ever given to a room
	LastFrom  uint64 // highest number ever given to an origin
	Rooms     []RoomState
	Origins   []Origin
	People    []Person   // in the order of their keys
	Invites   []Invite   // in the order of their hashes
	Standings []Standing // in the order of their rooms, keys and stances
	Bars      []Bar      // in the order of their rooms, networks and keys

	Sharing Sharing
	Logs    []Log       // in the order of their numbers
	Acts    []Entry     // in the order of their rooms and (lamport, id): those with Act, also of rows that are not kept any more, which are hidden
	Abroad  []Abroad    // in the order of Num
	Peers   []Peer      // in the order of their nodes
	Forks   []ForkProof // in the order of their logs
}

// Query asks for rows by the words in them.
type Query struct {
	Words  string // at most chat.MaxQuery bytes (more find nothing), as a person typed them: each word has to occur, or begin a word that does; case and accents don't matter
	Room   uint64 // 0: any
	Name   string // at most chat.MaxQuery bytes; of the author, as the row shows it; empty: anyone
	Before uint64 // Found.Next of the page before; 0: begin with the newest
	Hits   int    // at most
	Bytes  int    // of records, at most, but one hit always fits
	// Allowed reports whether a row of a room may be shown to whoever asks: with one, all that follow it. Nil: all may.
	Allowed func(room, seq uint64) bool
}

// Hit is a row that a Query asked for.
type Hit struct {
	Room   uint64
	Seq    uint64
	Record []byte // the wire's Event, length and all
}

// Found is a page of hits, the newest first. The search may have looked at so many rows that it ends with fewer hits than were asked for, or none.
type Found struct {
	Hits   []Hit
	Next   uint64 // what Query.Before goes on from; 0: there is nothing more
	Behind uint64 // rows that are committed and can't be found yet
}
