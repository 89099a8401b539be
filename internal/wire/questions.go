package wire

import "chatnode/internal/chat"

// Questions on the control stream, and their answers: one question at a time.

// Causal asks for a room's rows in the order that is the same on all nodes which have the same rows: by Lamport and EntryID.
type Causal struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  string
	After []byte // CausalIs.Next of the page before; empty: from the first
	Last  bool   // of the end of the list: its last rows in place of the first
}

// CausalIs answers Causal.
type CausalIs struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Events []Raw  // events, with the name that their author has on this node, and Opts.At
	Next   []byte // empty: these were the last
	Digest []byte // of all that the node has of the room, 8 bytes: see Digests
	Total  uint64
}

// Peers asks for a node's links.
type Peers struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
}

// PeersAre answers Peers.
type PeersAre struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Space []byte
	Peers []PeerInfo // at most MaxPeers
}

// PeerInfo is what a node knows of another one.
type PeerInfo struct {
	_        struct{} `cbor:",toarray"`
	Node     []byte   // key id; empty: an address that was never reached
	Title    string
	Address  string
	State    string // linked, dialing, waiting, known, dropped
	Admitted bool
	RTT      uint64 // microseconds; 0: not known
	Behind   uint64 // entries that it has and this node lacks
	Ahead    uint64 // entries that this node has and it lacks
	Seen     int64  // when it was last linked, milliseconds
	Note     string // at most MaxNote bytes: why it is not linked, or what it did wrong
}

// Stats asks for a node's numbers.
type Stats struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
}

// StatsAre answers Stats.
type StatsAre struct {
	_        struct{} `cbor:",toarray"`
	Type     uint8
	Up       uint64 // for so long, in milliseconds, the node has been running
	Sessions uint64
	Rooms    uint64      // with a name
	Work     []NodeStats // one, for admins; none for all others
}

// NodeStats are the numbers of a node that are its operators' business. Where no time is named they are since its start.
type NodeStats struct {
	_              struct{} `cbor:",toarray"`
	People         uint64   // now
	Conversations  uint64   // now
	Messages       uint64   // that were kept
	Deliveries     uint64   // of messages to clients
	DeliveredBytes uint64
	Lag            Times   // from when the node took a message until it was given to a client's connection
	Commits        uint64  // batches that the store took
	Commit         Times   // each of them
	Memory         uint64  // bytes that the process has from its system, now
	Segments       uint64  // of them, bytes of the newest messages of all rooms
	Waiting        uint64  // bytes that wait to be put in order, now
	Linked         uint64  // other nodes to which there is a link, now
	Known          uint64  // other nodes in all
	Sent           uint64  // entries, to other nodes
	Taken          uint64  // entries, from them
	Refused        []Count // messages that were refused or put off, by the name of the code
	TurnedAway     []Count // connections that ended before it was known who came, by why
	Dropped        []Count // sessions and links that were cut or lost, by why
}

// Times are how long something took, in microseconds.
type Times struct {
	_    struct{} `cbor:",toarray"`
	Half uint64   // as long at most in half of all cases
	Most uint64   // in 99 of 100
}

// Count is how often something happened for a reason.
type Count struct {
	_    struct{} `cbor:",toarray"`
	What string   // at most MaxWhat bytes
	N    uint64
}

// Admit changes what another node is to this one, for admins.
type Admit struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Node string // key id as text, or a title that only one of them has
	Mode uint64 // AdmitIt, AdmitGuest, AdmitDrop
}

// What another node can be.
const (
	AdmitGuest = 0 // it gets what any guest may read
	AdmitIt    = 1 // private rooms and conversations too, and what it says of rights counts
	AdmitDrop  = 2 // no link to it is made or taken
)

// AdmitIs answers Admit.
type AdmitIs struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Peer PeerInfo
}

// Failed answers a question that has no answer.
type Failed struct {
	_            struct{} `cbor:",toarray"`
	Type         uint8
	Code         chat.Code
	RetryAfterMS uint64 // 0: the same question will fail again
}

// Names asks who is in a room, in the order of their folded names, from after After on.
type Names struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  string
	After string
}

// NamesAre answers Names.
type NamesAre struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	People []Person
	Total  uint64
	More   bool
	Away   []uint64 // places in People, counted from 0, of those who are away
}

// Whois asks about a person by name or key id.
type Whois struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Who  string
}

// WhoisIs answers Whois.
type WhoisIs struct {
	_        struct{} `cbor:",toarray"`
	Type     uint8
	Person   Person
	Sessions uint64 // connected now; to the other node of Via at least so many
	Rooms    []string
	Since    int64 // when the oldest of Sessions connected; else when last seen; milliseconds; 0: not known

	Away      string // what they said when they went away; may be empty
	AwaySince int64  // milliseconds; 0: they are not away

	Card []byte // what is sealed to them with, CardLen bytes; empty: they have shown none
	Via  string // the other node that vouches for them, its title and id; empty: they come to this one
}

// List asks for the node's rooms in the order of their names, from after After on.
type List struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	After string
}

// ListIs answers List.
type ListIs struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Rooms []RoomInfo
	More  bool
}

// RoomInfo is a room in a list.
type RoomInfo struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	Members uint64
	Head    uint64
	Topic   string
}

// Authors asks whose the numbers in Event.From are.
type Authors struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	From []uint64
}

// AuthorsAre answers Authors; numbers that the node does not know are left out.
type AuthorsAre struct {
	_       struct{} `cbor:",toarray"`
	Type    uint8
	Authors []Author
}

// Author binds a number to a key.
type Author struct {
	_    struct{} `cbor:",toarray"`
	From uint64
	ID   []byte
}

// History asks for the last N rows of a room, at most chat.MaxTail, of those below Before that are as new as Since.
type History struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Room   string // a room's name, or DirectMark and a name or key id
	Before uint64 // 0: from the last row on
	Since  int64  // milliseconds since the Unix epoch; 0: of any age
	N      uint64
}

// HistoryIs answers History with the newest of the rows that were asked for, as many as fit.
type HistoryIs struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Events []Raw  // each an Event, ascending without a hole
	Low    uint64 // first seq that is kept
	More   bool   // there are rows before these that are as new as Since
}

// Search asks for rows by the words in them, at most chat.MaxHits.
type Search struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Words  string // at most chat.MaxQuery bytes
	Room   string // as in History; empty: all that the asker may read
	From   string // the name that the author had; empty: anyone
	Before uint64 // Next of the page before; 0: from the newest on
	N      uint64
}

// SearchIs answers Search.
type SearchIs struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Rooms  []RoomName // those of Events
	Events []Raw      // each an Event, the newest first
	Next   uint64     // what Search.Before goes on from; 0: that was all
	Behind uint64     // rows that are kept and can't be found yet
}

// RoomName binds a number to a name within one answer.
type RoomName struct {
	_    struct{} `cbor:",toarray"`
	Room uint64
	Name string // as Open.Name
}

// KeepMode says what a Keep asks for.
type KeepMode uint8

const (
	KeepAsk     KeepMode = 0 // only how much is kept
	KeepDefault KeepMode = 1 // leave it to the node from now on
	KeepBounds  KeepMode = 2 // keep what is inside AgeMS and Size from now on
)

// Keep asks how much of a room's log is kept, and may change it.
type Keep struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  string // as in History
	Mode  KeepMode
	AgeMS uint64 // of the oldest row, for KeepBounds; 0: of any age
	Size  uint64 // bytes of all records, for KeepBounds; 0: of any size
}

// KeepIs answers Keep with what holds now.
type KeepIs struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Set   bool // false: the node decides
	AgeMS uint64
	Size  uint64
}

// TokenLen is the length of an invitation's token, in bytes. Whoever shows it to the node may come in.
const TokenLen = 16

// Invite asks for an invitation.
type Invite struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  string // where it leads; empty: nowhere in particular
	Uses  uint64 // how many keys may come in by it, at most chat.MaxUses
	ForMS uint64 // how long it is good, at most chat.MaxInvite
	Node  bool   // it is for nodes: who comes by it is admitted, with its history
}

// InviteIs answers Invite.
type InviteIs struct {
	_         struct{} `cbor:",toarray"`
	Type      uint8
	Token     []byte // TokenLen bytes; the node itself keeps only a hash of it
	Uses      uint64
	Expires   int64    // milliseconds since the Unix epoch
	Addresses []string // where others reach the node, each a host and a port, the best first; may be empty
}

// Release asks for a name to be taken from the key that owns it.
type Release struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Name string
}

// ReleaseIs answers Release.
type ReleaseIs struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Owner Person // with the name that was released
}

// Away says that the asker's key is away, or back. It holds for all sessions of the key, until it says otherwise or the last of them ends.
type Away struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Away bool
	Text string // for others to read, at most chat.MaxTopic bytes; may be empty, and counts for nothing without Away
}

// AwayIs answers Away with what holds now.
type AwayIs struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Away  bool
	Text  string
	Since int64 // milliseconds; 0 without Away
}
