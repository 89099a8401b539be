package wire

import "chatnode/internal/chat"

// Version of the protocol that this package speaks.
const Version = 1

// Types of records. Their numbers never change; a type that is not listed is passed over by whoever receives it.
const (
	// Chat stream, node to client.
	TypeEvent   = 1
	TypeAck     = 2
	TypeRefused = 3
	TypeNack    = 4
	TypeOpen    = 5
	TypeClosed  = 6
	TypeNamed   = 7

	// Chat stream, client to node, in the order in which its user acted.
	TypePub  = 8
	TypeJoin = 9
	TypePart = 10
	TypeNick = 11

	// Chat stream, node to client.
	TypeTerms = 20
	TypeMark  = 12

	// Control stream.
	TypeChallenge = 13
	TypeHello     = 14
	TypeWelcome   = 15
	TypeBye       = 16
	TypeNotice    = 17
	TypePresence  = 18
	TypeWatch     = 19
	TypeNodes     = 21

	// Control stream: questions (even) and their answers (odd). One question at a time.
	TypeFailed     = 31
	TypeNames      = 32
	TypeNamesAre   = 33
	TypeWhois      = 34
	TypeWhoisIs    = 35
	TypeList       = 36
	TypeListIs     = 37
	TypeAuthors    = 38
	TypeAuthorsAre = 39
	TypeHistory    = 40
	TypeHistoryIs  = 41
	TypeSearch     = 42
	TypeSearchIs   = 43
	TypeInvite     = 44
	TypeInviteIs   = 45
	TypeKeep       = 46
	TypeKeepIs     = 47
	TypeRelease    = 48
	TypeReleaseIs  = 49
	TypeAway       = 50
	TypeAwayIs     = 51
	TypeBanned     = 52
	TypeBannedAre  = 53
	TypeCausal     = 54
	TypeCausalIs   = 55
	TypePeers      = 56
	TypePeersAre   = 57
	TypeAdmit      = 58
	TypeAdmitIs    = 59
	TypeStats      = 60
	TypeStatsAre   = 61

	firstQuestion, lastQuestion = 32, 126
)

// Status of an Open.
type Status uint8

const (
	StatusOK     Status = 0 // events go on without a hole
	StatusGap    Status = 1 // rows between the cursor and From are not kept any more
	StatusReset  Status = 2 // the cursor is not one of this log: see Why
	StatusDenied Status = 3 // the room is not opened: see Code
	StatusMoved  Status = 4 // another node of the space goes on: see Seen
)

// Why a cursor was reset.
type Why uint8

const (
	WhyEpoch Why = 1 // another store
	WhyAhead Why = 2 // the log ends before the cursor
	WhyHash  Why = 3 // the log says something else at the cursor
)

var whyNames = map[Why]string{WhyEpoch: "epoch", WhyAhead: "ahead", WhyHash: "hash"}

// String returns the reason as JSON output spells it.
func (w Why) String() string { return whyNames[w] }

// Record is one record of either stream: a pointer to one of the structs below.
type Record interface{ stamp() }

// Event is one row of a room's log.
type Event struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Room uint64 // number that an Open has bound to a name
	Seq  uint64
	From uint64 // number of the author's origin; the Authors question tells its key
	CSeq uint64
	Time int64 // milliseconds since the Unix epoch
	Name string
	Kind chat.Kind
	Body []byte
	ID   chat.ID
	Opts Opts
}

// Opts is what only some publishes and events carry.
type Opts struct {
	Re  []byte `cbor:"1,keyasint,omitempty"` // id of the message answered, 8 bytes
	Sig []byte `cbor:"2,keyasint,omitempty"` // of an act: its author's public key and signature, identity.ActSigLen bytes
	As  *As    `cbor:"3,keyasint,omitempty"` // of a publish: the pair under which it was first offered to another node
	// Row is the seq of the message whose text the act redact takes away, in the log of the node that is told, or tells.
	Row uint64 `cbor:"4,keyasint,omitempty"`
	// Gone is, in an event whose body was taken away, what its id has of that: SHA-256(salt ‖ body). Of such an event the body is empty.
	Gone []byte `cbor:"5,keyasint,omitempty"`
	// At is, in an event that has come from another node late, when it was written there, by that node's clock, in milliseconds since the Unix epoch.
	At int64 `cbor:"6,keyasint,omitempty"`
	// Forked marks an event whose node has signed two histories: it is not to be shown.
	Forked bool `cbor:"7,keyasint,omitempty"`
}

// As names a publish for all nodes.
type As struct {
	_      struct{} `cbor:",toarray"`
	Origin []byte   // OriginName of the origin's token, 16 bytes
	CSeq   uint64
}

// Ack says that a publish is kept, as which row.
type Ack struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	CSeq uint64
	Seq  uint64 // 0 for a Skip, which leaves no row
	ID   chat.ID
	Time int64
}

// Refused says that a publish will never be kept. Its cseq is used up.
type Refused struct {
	_            struct{} `cbor:",toarray"`
	Type         uint8
	CSeq         uint64
	Code         chat.Code
	RetryAfterMS uint64 // 0: never
}

// Nack says that the node took nothing from cseq Expected on; the client sends again from there, no earlier than RetryAfterMS.
type Nack struct {
	_            struct{} `cbor:",toarray"`
	Type         uint8
	Expected     uint64
	Code         chat.Code
	RetryAfterMS uint64
}

// Open stands before the first event of a room, and again wherever events do not go on from the last one.
type Open struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Room   uint64
	Name   string // the room; of a direct conversation DirectMark and the other's name
	Status Status
	From   uint64    // seq of the first event to come
	Head   uint64    // last seq when it was opened
	Low    uint64    // first seq that is still kept
	Hash   chat.Hash // the rolling hash before From
	Why    Why       // for StatusReset
	Code   chat.Code // for StatusDenied
	Topic  string
	Peer   []byte      // the other's key id, in a direct conversation
	Terms  Terms       // as of now
	Card   []byte      // what is sealed to the other with, CardLen bytes, in a direct conversation; empty: they have shown none
	Seen   [][2]uint64 // for StatusMoved: rows from From on that the client has seen, from and to, in ascending order; at most MaxSeen
}

// Closed stands after the last event of a room.
type Closed struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Room uint64
	Name string
	Code chat.Code // OK: by the client's own Part; Kicked, Banned: by an act
}

// Named answers a Nick.
type Named struct {
	_       struct{} `cbor:",toarray"`
	Type    uint8
	Name    string // the name that now holds
	Code    chat.Code
	Suggest string // for NameTaken: one that is free

	RetryAfterMS uint64 // for TooFast
}

// Pub offers one message. CSeq counts an origin's publishes: 1, 2, 3, …
type Pub struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	CSeq uint64
	Room string // a room's name, or DirectMark and a name or key id
	Kind chat.Kind
	Body []byte
	Opts Opts
}

// Join asks for a room's events: from the cursor on, or, without one, the last Tail and what comes. The room DirectMark stands for
// all direct conversations, those to come included.
type Join struct {
	_      struct{} `cbor:",toarray"`
	Type   uint8
	Room   string
	Tail   uint64
	Cursor *Cursor
	Moved  *Moved // what a client has seen of the room on another node of the same space, in place of a cursor
}

// Moved is a client's place in a room, for a node on which it has not been: a Mark of the node before, and what it was shown beyond that.
type Moved struct {
	_     struct{}  `cbor:",toarray"`
	Heads []Grown   // at most MaxMarkHeads
	IDs   []chat.ID // at most MaxMovedIDs
	Pairs []As      // of what it sent and was shown, those that were offered to a node before that one as well; at most MaxMovedPairs
}

// Bounds on what a client says that it has seen.
const (
	MaxSeen       = 1024
	MaxMovedIDs   = 1024
	MaxMovedPairs = chat.MaxInFlight
)

// Mark says what the rows up to Seq of a room are for other nodes: of which logs, and how much of each. A node that has peers sends one now and then.
type Mark struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  uint64
	Seq   uint64
	Heads []Grown // at most MaxMarkHeads
}

// Nodes tells a client where else its rooms are: each is another node of the space. It replaces the last one.
type Nodes struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Nodes []NodeAt // at most MaxAddresses
}

// NodeAt is a node and where it is reached.
type NodeAt struct {
	_     struct{} `cbor:",toarray"`
	Node  []byte   // key id
	Hosts []string // host:port, the best first
}

// Cursor is a chat.Cursor on the wire.
type Cursor struct {
	_     struct{} `cbor:",toarray"`
	Epoch uint64
	Seq   uint64
	Hash  chat.Hash
}

// Part leaves a room; Closed answers it.
type Part struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Room string
}

// Nick asks for another name; Named answers it.
type Nick struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Name string
}

// Challenge is the node's first record on control.
type Challenge struct {
	_       struct{} `cbor:",toarray"`
	Type    uint8
	Version uint64
	Nonce   []byte // 32 bytes, for Hello's proof
}

// Hello is the client's first record on control.
type Hello struct {
	_            struct{} `cbor:",toarray"`
	Type         uint8
	Version      uint64
	Name         string
	Key          []byte // ed25519 public key, 32 bytes
	Proof        []byte // see identity.Key.Prove
	Origin       []byte // 16 random bytes, a secret of this client and the node
	FirstUnacked uint64 // the lowest cseq that the client has not seen answered
	Token        []byte // of an invitation, TokenLen bytes; empty: none
	Card         []byte // what others seal to Key with, CardLen bytes; empty: the client reads nothing that is sealed
}

// CardLen is the length of a card, in bytes: an ed25519 key, an X25519 key, and the first one's signature over the second (see package seal).
const CardLen = 128

// Welcome answers a Hello.
type Welcome struct {
	_        struct{} `cbor:",toarray"`
	Type     uint8
	Version  uint64
	Node     []byte // the node's key id
	Title    string
	Name     string // the name granted
	From     uint64
	Epoch    uint64
	LastCSeq uint64
	Outcomes []Outcome // of cseq FirstUnacked to LastCSeq, as far as remembered
	Limits   Limits
	Time     int64
	Space    []byte // 16 bytes: nodes of one space have the same rooms
}

// Outcome is what became of one publish.
type Outcome struct {
	_    struct{} `cbor:",toarray"`
	CSeq uint64
	Code chat.Code // OK: kept, as row Seq
	Seq  uint64
	ID   chat.ID
	Time int64
}

// Limits are a node's, told to every client.
type Limits struct {
	Text          uint64  `cbor:"1,keyasint,omitempty"` // bytes
	Lines         uint64  `cbor:"2,keyasint,omitempty"`
	InFlight      uint64  `cbor:"3,keyasint,omitempty"` // publishes
	InFlightBytes uint64  `cbor:"4,keyasint,omitempty"`
	Rooms         uint64  `cbor:"5,keyasint,omitempty"`
	Watched       uint64  `cbor:"6,keyasint,omitempty"`
	Rate          float64 `cbor:"7,keyasint,omitempty"` // messages a second, 0 for no limit
}

// Bye is the last record of either side on control. A client that says it with OK has had all answers and gives its origin up.
type Bye struct {
	_            struct{} `cbor:",toarray"`
	Type         uint8
	Code         chat.Code
	RetryAfterMS uint64 // 0: do not come back by yourself
	Text         string
}

// Notice is a line from the node to its user.
type Notice struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Code chat.Code
	Text string
}

// Watch says which rooms are on the client's screen; it replaces the last one. Presence of these follows.
type Watch struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Rooms []string
}

// Presence tells who is in the rooms that are watched. Each element of Rooms is a RoomPresence.
type Presence struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Rooms []Raw
}

// RoomPresence is the presence of one room: all of it, or what differs from the last.
type RoomPresence struct {
	_        struct{} `cbor:",toarray"`
	Room     string
	Count    uint64
	Snapshot bool
	Here     []Person // all, or who came, changed their name, went away or came back
	Gone     []Person
	Away     []uint64 // places in Here, counted from 0, of those who are away
}

// Person is a key and the name it goes by.
type Person struct {
	_    struct{} `cbor:",toarray"`
	ID   []byte
	Name string
}
