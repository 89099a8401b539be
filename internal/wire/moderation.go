package wire

import "chatnode/internal/chat"

// Terms say what holds in a room for everybody, and for the one who is told.
type Terms struct {
	Role     chat.Role `cbor:"1,keyasint,omitempty"`
	Muted    bool      `cbor:"2,keyasint,omitempty"`
	Until    int64     `cbor:"3,keyasint,omitempty"` // when Muted ends, milliseconds since the Unix epoch; 0: it has no end
	ReadOnly bool      `cbor:"4,keyasint,omitempty"` // only moderators, the owner and admins write
	Archived bool      `cbor:"5,keyasint,omitempty"` // nobody writes
	Private  bool      `cbor:"6,keyasint,omitempty"` // reserved: it is for its members
	SlowMS   uint64    `cbor:"7,keyasint,omitempty"` // that lie between two messages of one person
	Welcome  string    `cbor:"8,keyasint,omitempty"` // for whoever joins
	Pins     []chat.ID `cbor:"9,keyasint,omitempty"` // the oldest first, at most chat.MaxPins
}

// TermsAre says that the terms of a room have changed. It stands behind the act that changed them, or before it when that is not sent yet.
type TermsAre struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  uint64
	Terms Terms
}

// Banned asks who is banned from a room, for its moderators, in the order of the key ids, from after After on.
type Banned struct {
	_     struct{} `cbor:",toarray"`
	Type  uint8
	Room  string
	After []byte // a key id; empty: from the first on
}

// BannedAre answers Banned.
type BannedAre struct {
	_    struct{} `cbor:",toarray"`
	Type uint8
	Bans []Ban
	More bool
}

// Ban is one of them. Times are in milliseconds since the Unix epoch.
type Ban struct {
	_     struct{} `cbor:",toarray"`
	Who   Person   // the name may be empty: nobody has it any more
	By    Person
	Since int64
	Until int64  // 0: without an end
	Text  string // the reason that was given
}
