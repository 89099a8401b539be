// Package chat holds the values that every other room speaks of: kinds and codes, names of people and rooms, identifiers of
// messages, limits, and the cleaning of text. It is pure: no I/O, no clock, no randomness.
package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits of the protocol. A node tells them in its welcome; a client that stays inside these never meets a refusal for size.
const (
	MaxText      = 8 << 10 // bytes of UTF-8 in one message
	MaxLines     = 64      // lines in one message
	MaxTopic     = 390     // bytes of UTF-8 in a room's topic
	MaxName      = 24      // runes in a person's name, before a suffix
	MaxRoom      = 32      // runes in a room's name
	MaxTitle     = 80      // bytes of UTF-8 in a node's title
	MaxRooms     = 512     // rooms that one session is in at a time
	MaxDirect    = 64      // direct conversations that one session has open besides
	MaxWatched   = 16      // rooms whose presence one session watches
	MaxInFlight  = 64      // publishes of one origin that are not yet answered; as many outcomes are remembered
	MaxInFlightB = 256 << 10
	MaxTail      = 500                 // messages that a join may ask for from before it, or a question for history
	MaxHits      = 50                  // messages that one search may ask for
	MaxUses      = 1000                // keys that may come in by one invitation
	MaxInvite    = 30 * 24 * time.Hour // how long one is good
)

// Reports is the name of the room that a node's admins alone read, and everybody can write to: what is reported to them.
const Reports = "reports"

// Kind says what a message is. Only kinds listed here are accepted; their numbers never change.
type Kind uint8

const (
	Text   Kind = 1 // a line of talk
	Action Kind = 2 // what /me does
	Topic  Kind = 3 // the body becomes the room's topic
	Skip   Kind = 4 // a draft that was called back: uses its cseq up and leaves no row
	Act    Kind = 5 // what is done to a person or a room: see ActOf
	Sealed Kind = 6 // a line of talk that only the two of a conversation can read
)

var kindNames = map[Kind]string{Text: "text", Action: "action", Topic: "topic", Skip: "skip", Act: "act", Sealed: "sealed"}

// String returns the kind's name as JSON output spells it.
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Code is a short reason, the same on the wire (by number), in JSON (by name) and in a sentence to a person (by Sentence).
type Code uint16

const (
	OK           Code = 0
	TooLong      Code = 1
	BadText      Code = 2
	BadName      Code = 3
	NameTaken    Code = 4
	BadRoom      Code = 5
	NoSuchUser   Code = 6
	NoSuchRoom   Code = 7
	NotJoined    Code = 8
	Denied       Code = 9
	TooManyRooms Code = 10
	RoomRate     Code = 11
	BadKind      Code = 12
	Full         Code = 20
	Stopping     Code = 21
	NoSpace      Code = 22
	Hole         Code = 23
	Replaced     Code = 24
	BadVersion   Code = 25
	BadProof     Code = 26
	BadOrigin    Code = 27
	Malformed    Code = 28
	Timeout      Code = 29
	Internal     Code = 30
	Goodbye      Code = 31
	Unsupported  Code = 32
	Empty        Code = 33
	BadQuery     Code = 34
	NotInvited   Code = 35
	BadInvite    Code = 36
	TooFast      Code = 37
	NotSecure    Code = 38
	NotAllowed   Code = 39
	Banned       Code = 40
	Muted        Code = 41
	OnlyRead     Code = 42
	TooSoon      Code = 43
	Archived     Code = 44
	Kicked       Code = 45
	NotMember    Code = 46
	BadSignature Code = 47
	BadAct       Code = 48
	OtherSpace   Code = 49
	NotAdmitted  Code = 50
	TooMany      Code = 55
	KeyChanged   Code = 60
	NoCard       Code = 61
)

var codes = map[Code]struct{ name, sentence string }{
	OK:           {"ok", "done"},
	TooLong:      {"too_long", fmt.Sprintf("a message holds at most %d bytes and %d lines, a topic %d bytes", MaxText, MaxLines, MaxTopic)},
	BadText:      {"bad_text", "text must be valid UTF-8"},
	BadName:      {"bad_name", NameRule},
	NameTaken:    {"name_taken", "that name belongs to somebody else"},
	BadRoom:      {"bad_room", RoomRule},
	NoSuchUser:   {"no_such_user", "nobody of that name is known here"},
	NoSuchRoom:   {"no_such_room", "there is no such room"},
	NotJoined:    {"not_joined", "you are not in that room"},
	Denied:       {"denied", "that is not allowed"},
	TooManyRooms: {"too_many_rooms", fmt.Sprintf("one client can be in at most %d rooms", MaxRooms)},
	RoomRate:     {"room_rate", "too many new rooms; try again later"},
	BadKind:      {"bad_kind", "this node does not know that kind of message"},
	Full:         {"full", "the node is full"},
	Stopping:     {"stopping", "the node is stopping"},
	NoSpace:      {"no_space", "the node's disk is nearly full"},
	Hole:         {"hole", "a message before this one is missing"},
	Replaced:     {"replaced", "the same client connected again"},
	BadVersion:   {"bad_version", "the node speaks another version of the protocol"},
	BadProof:     {"bad_proof", "the proof of the key does not hold"},
	BadOrigin:    {"bad_origin", "that origin belongs to another key"},
	Malformed:    {"malformed", "a record could not be understood"},
	Timeout:      {"timeout", "it took too long"},
	Internal:     {"internal", "the node failed; its log says why"},
	Goodbye:      {"goodbye", "goodbye"},
	Unsupported:  {"unsupported", "the node does not answer that question"},
	Empty:        {"empty", "a message needs some text"},
	NotInvited:   {"not_invited", "this node takes only whom it knows or who was invited: ask somebody there for an invitation"},
	BadInvite:    {"bad_invite", "that invitation is not good any more, or never was: ask for a new one"},
	TooFast:      {"too_fast", "too much at once; try again later"},
	NotSecure:    {"not_secure", "this link is not encrypted: an invitation would be everybody's who listens"},
	NotAllowed:   {"not_allowed", "you may not do that in this room"},
	Banned:       {"banned", "you are banned from that room"},
	Muted:        {"muted", "you are muted in this room"},
	OnlyRead:     {"read_only", "only its owner and its moderators write in this room"},
	TooSoon:      {"slow", "this room is slow: wait a little between two messages"},
	Archived:     {"archived", "this room is archived: it can be read, and nobody writes in it"},
	Kicked:       {"kicked", "you were put out of that room"},
	NotMember:    {"not_member", "that room is for its members"},
	BadSignature: {"bad_signature", "the signature of that act does not hold"},
	BadAct:       {"bad_act", "that is not an act, or there is nothing that it could be done to"},
	OtherSpace:   {"other_space", "that node belongs to other rooms: its history and this one's are two; link them with an invitation for nodes"},
	NotAdmitted:  {"not_admitted", "that node is not admitted here: an admin can admit it"},
	TooMany:      {"too_many", fmt.Sprintf("there are too many of them: a room pins at most %d messages", MaxPins)},
	KeyChanged:   {"key_changed", "that name is another key's now than when you first met it"},
	NoCard:       {"no_card", "nothing can be sealed to them before they come here with a chatnode that can"},
	BadQuery:     {"bad_query", fmt.Sprintf("a search needs a word or a name to look for, in at most %d bytes", MaxQuery)},
}

// String returns the code's name as JSON output spells it.
func (c Code) String() string {
	if e, ok := codes[c]; ok {
		return e.name
	}
	return fmt.Sprintf("code-%d", uint16(c))
}

// Sentence returns the code as a sentence for a person, without a full stop.
func (c Code) Sentence() string {
	if e, ok := codes[c]; ok {
		return e.sentence
	}
	return "the node refused it (" + c.String() + ")"
}

// ID names one message for ever and everywhere: the first 8 bytes of a SHA-256 (see Header.ID).
type ID [8]byte

// String returns the id as 16 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names no message.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads what ID.String writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) == 2*len(id) {
		if _, err := hex.Decode(id[:], []byte(s)); err == nil {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("%q is not a message id: 16 hexadecimal digits", s)
}

// Hash is a room's rolling hash: hash 0 is zero, and each row carries it on (see Next). Two logs that agree on it agree on all before it.
type Hash [8]byte

// Next returns the hash after the row named id: the first 8 bytes of SHA-256(h ‖ id).
func (h Hash) Next(id ID) Hash {
	var buf [16]byte
	copy(buf[:8], h[:])
	copy(buf[8:], id[:])
	sum := sha256.Sum256(buf[:])
	return Hash(sum[:8])
}

// Cursor is a place in a room's log: the last row that was seen. Epoch names the store that numbered it.
type Cursor struct {
	Epoch uint64
	Seq   uint64
	Hash  Hash
}

// Header is what a message's id covers besides its body.
type Header struct {
	Epoch uint64
	Room  uint64 // store-wide number, never reused
	Seq   uint64
	From  uint64 // store-wide number of the author's origin, never reused
	CSeq  uint64
	Time  int64 // milliseconds since the Unix epoch, UTC
	Kind  Kind
	Name  string
	Re    ID // the message answered, or zero
}

// idDomain keeps ids apart from every other use of SHA-256.
const idDomain = "chatnode/id/1"

// BodySum returns SHA-256(salt ‖ body), which is all that a message's id has of its body. The salt keeps a body that was removed from being guessed.
func BodySum(salt *[16]byte, body []byte) [sha256.Size]byte {
	var stack [512]byte // enough for most texts; clearing more would cost more than the hash
	return sha256.Sum256(append(append(stack[:0], salt[:]...), body...))
}

// ID returns the id of a message with this body: see IDOf.
func (h *Header) ID(salt *[16]byte, body []byte) ID { return h.IDOf(BodySum(salt, body)) }

// IDOf returns the id of the message whose BodySum is given: the first 8 bytes of SHA-256 over idDomain, the seven numbers as 64-bit big-endian
// integers in the order of Header's fields, the name's length as 16 bits and the name, Re, and the sum. The body enters by its hash alone, so that
// it can be removed and the chain still verifies.
func (h *Header) IDOf(bodySum [sha256.Size]byte) ID {
	var stack [256]byte
	b := append(stack[:0], idDomain...)
	for _, v := range [...]uint64{h.Epoch, h.Room, h.Seq, h.From, h.CSeq, uint64(h.Time), uint64(h.Kind)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.Name)))
	b = append(b, h.Name...)
	b = append(b, h.Re[:]...)
	b = append(b, bodySum[:]...)
	sum := sha256.Sum256(b)
	return ID(sum[:8])
}

// Millis returns t as messages carry it: milliseconds since the Unix epoch.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// String returns the cursor as people and scripts carry it: epoch and hash in hexadecimal around the seq, "EPOCH.SEQ.HASH".
func (c Cursor) String() string {
	return fmt.Sprintf("%016x.%d.%s", c.Epoch, c.Seq, hex.EncodeToString(c.Hash[:]))
}

// ParseCursor reads what Cursor.String writes.
func ParseCursor(s string) (Cursor, error) {
	parts := strings.Split(s, ".")
	if len(parts) == 3 {
		epoch, err1 := strconv.ParseUint(parts[0], 16, 64)
		seq, err2 := strconv.ParseUint(parts[1], 10, 64)
		hash, err3 := ParseID(parts[2])
		if err1 == nil && err2 == nil && err3 == nil {
			return Cursor{Epoch: epoch, Seq: seq, Hash: Hash(hash)}, nil
		}
	}
	return Cursor{}, fmt.Errorf("%q is not a cursor: EPOCH.SEQ.HASH, as -json prints it with each message", s)
}
