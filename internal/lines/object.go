package lines

// The objects of JSON output, one type each. docs/json.md is their contract: a field keeps its name, its type and its meaning for
// ever, and fields are only added, at the end. A test holds that the page names each of them.

type messageObject struct {
	Type   string `json:"type"` // message
	Room   string `json:"room"`
	Seq    uint64 `json:"seq"`
	ID     string `json:"id"`
	Epoch  string `json:"epoch"`
	Cursor string `json:"cursor,omitempty"`
	Name   string `json:"name"`
	Author string `json:"author,omitempty"`
	Kind   string `json:"kind"`
	Time   string `json:"time"`
	Text   string `json:"text"`
	Re     string `json:"re,omitempty"`
	To     string `json:"to,omitempty"`
	Own    bool   `json:"own,omitempty"`

	Removed bool `json:"removed,omitempty"`

	Sealed     bool `json:"sealed,omitempty"`
	Unreadable bool `json:"unreadable,omitempty"`

	Ignored bool `json:"ignored,omitempty"`

	Act *actObject `json:"act,omitempty"`

	At     string `json:"at,omitempty"`
	Forked bool   `json:"forked,omitempty"`
}

// actObject is what a message of kind act says.
type actObject struct {
	Verb   string `json:"verb"`
	Who    string `json:"who,omitempty"`
	ForMS  int64  `json:"for_ms,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type ackObject struct {
	Type string `json:"type"` // ack
	source
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	ID   string `json:"id"`
	Time string `json:"time"`
}

type refusedObject struct {
	Type string `json:"type"` // refused
	source
	Room         string `json:"room"`
	Code         string `json:"code"`
	Text         string `json:"text"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

type keyChangedObject struct {
	Type string `json:"type"` // key_changed
	Name string `json:"name"`
	Was  string `json:"was"`
	Now  string `json:"now"`
	Text string `json:"text"`
}

type linkObject struct {
	Type         string `json:"type"` // link
	State        string `json:"state"`
	Name         string `json:"name,omitempty"`
	Title        string `json:"title,omitempty"`
	Node         string `json:"node,omitempty"`
	Epoch        string `json:"epoch,omitempty"`
	Resumed      bool   `json:"resumed,omitempty"`
	Code         string `json:"code,omitempty"`
	Text         string `json:"text,omitempty"`
	RetryAfterMS *int64 `json:"retry_after_ms,omitempty"`
	Moved        bool   `json:"moved,omitempty"`
}

type movedObject struct {
	Type string `json:"type"` // moved
	From string `json:"from"`
	To   string `json:"to"`
	Anew int    `json:"anew,omitempty"`
	Text string `json:"text"`
}

type openedObject struct {
	Type   string `json:"type"` // opened
	Room   string `json:"room"`
	Topic  string `json:"topic"`
	From   uint64 `json:"from"`
	Head   uint64 `json:"head"`
	Direct bool   `json:"direct,omitempty"`
	termsObject
}

// termsObject is what goes for the user in a room.
type termsObject struct {
	Role     string   `json:"role,omitempty"`
	Muted    bool     `json:"muted,omitempty"`
	Until    string   `json:"until,omitempty"`
	ReadOnly bool     `json:"read_only,omitempty"`
	Archived bool     `json:"archived,omitempty"`
	Private  bool     `json:"private,omitempty"`
	SlowMS   int64    `json:"slow_ms,omitempty"`
	Welcome  string   `json:"welcome,omitempty"`
	Pins     []string `json:"pins,omitempty"`
}

type standingObject struct {
	Type string `json:"type"` // standing
	Room string `json:"room"`
	termsObject
}

// roomObject is of type closed or denied.
type roomObject struct {
	Type string `json:"type"`
	Room string `json:"room"`
	Code string `json:"code"`
	Text string `json:"text"`
}

type gapObject struct {
	Type string `json:"type"` // gap
	Room string `json:"room"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

type resetObject struct {
	Type string `json:"type"` // reset
	Room string `json:"room,omitempty"`
	Why  string `json:"why"`
	Text string `json:"text"`
}

// presenceObject is of type joined, left, renamed or stirred.
type presenceObject struct {
	Type   string `json:"type"`
	Room   string `json:"room"`
	Name   string `json:"name"`
	Author string `json:"author"`
	Old    string `json:"old,omitempty"`
	Away   bool   `json:"away,omitempty"`
}

type presentObject struct {
	Type   string         `json:"type"` // present
	Room   string         `json:"room"`
	Count  int            `json:"count"`
	People []personObject `json:"people"`
}

type personObject struct {
	Name   string `json:"name"`
	Author string `json:"author"`
	Away   bool   `json:"away,omitempty"`
}

type namedObject struct {
	Type    string `json:"type"` // named
	Name    string `json:"name"`
	Code    string `json:"code"`
	Suggest string `json:"suggest,omitempty"`

	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
}

type noticeObject struct {
	Type string `json:"type"` // notice
	Code string `json:"code"`
	Text string `json:"text"`
}

type errorObject struct {
	Type string `json:"type"` // error
	source
	Code         string `json:"code"`
	Text         string `json:"text"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

type namesObject struct {
	Type string `json:"type"` // names
	source
	Room   string         `json:"room"`
	Total  int            `json:"total"`
	People []personObject `json:"people"`
}

type whoisObject struct {
	Type string `json:"type"` // whois
	source
	Name     string   `json:"name"`
	Author   string   `json:"author"`
	Sessions int      `json:"sessions"`
	Rooms    []string `json:"rooms"`
	Since    string   `json:"since,omitempty"`

	AwaySince string `json:"away_since,omitempty"`
	AwayText  string `json:"away_text,omitempty"`

	Via string `json:"via,omitempty"`
}

type awayObject struct {
	Type string `json:"type"` // away
	source
	Away bool   `json:"away"`
	Text string `json:"text,omitempty"`
}

type listObject struct {
	Type string `json:"type"` // list
	source
	Rooms []roomInfoObject `json:"rooms"`
}

type roomInfoObject struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
	Head    uint64 `json:"head"`
	Topic   string `json:"topic"`
}

type topicObject struct {
	Type string `json:"type"` // topic
	source
	Room  string `json:"room"`
	Topic string `json:"topic"`
}

type historyObject struct {
	Type string `json:"type"` // history
	source
	Room     string          `json:"room"`
	Messages []messageObject `json:"messages"`
	Before   uint64          `json:"before,omitempty"`
}

// searchObject is of type search or mentions.
type searchObject struct {
	Type string `json:"type"`
	source
	Messages []messageObject `json:"messages"`
	Before   uint64          `json:"before,omitempty"`
	Behind   uint64          `json:"behind,omitempty"`
}

type keepObject struct {
	Type string `json:"type"` // keep
	source
	Room  string `json:"room"`
	Set   bool   `json:"set,omitempty"`
	AgeMS int64  `json:"age_ms,omitempty"`
	Size  int64  `json:"size,omitempty"`
}

type inviteObject struct {
	Type string `json:"type"` // invite
	source
	Room    string `json:"room,omitempty"`
	Link    string `json:"link"`
	Token   string `json:"token"`
	Uses    int    `json:"uses"`
	Expires string `json:"expires"`
	Local   bool   `json:"local,omitempty"`
	ForNode bool   `json:"for_node,omitempty"`
}

type peersObject struct {
	Type string `json:"type"` // peers
	source
	Space string       `json:"space"`
	Peers []peerObject `json:"peers"`
}

// peerObject is another node: in a list, or by itself as the answer to what changed it.
type peerObject struct {
	Type string `json:"type"` // peer
	source
	Node     string `json:"node,omitempty"`
	Title    string `json:"title"`
	Address  string `json:"address"`
	State    string `json:"state"`
	Admitted bool   `json:"admitted,omitempty"`
	RTTUS    int64  `json:"rtt_us,omitempty"`
	Behind   uint64 `json:"behind"`
	Ahead    uint64 `json:"ahead"`
	Seen     string `json:"seen,omitempty"`
	Note     string `json:"note,omitempty"`
}

type statsObject struct {
	Type string `json:"type"` // stats
	source
	UpMS     int64       `json:"up_ms"`
	Sessions uint64      `json:"sessions"`
	Rooms    uint64      `json:"room_count"`
	Work     *workObject `json:"work,omitempty"`
}

// workObject is what a node's admins are told.
type workObject struct {
	People         uint64            `json:"people"`
	Conversations  uint64            `json:"conversations"`
	Messages       uint64            `json:"messages"`
	Deliveries     uint64            `json:"deliveries"`
	DeliveredBytes uint64            `json:"delivered_bytes"`
	LagP50US       int64             `json:"lag_p50_us"`
	LagP99US       int64             `json:"lag_p99_us"`
	Commits        uint64            `json:"commits"`
	CommitP50US    int64             `json:"commit_p50_us"`
	CommitP99US    int64             `json:"commit_p99_us"`
	MemoryBytes    uint64            `json:"memory_bytes"`
	SegmentBytes   uint64            `json:"segment_bytes"`
	WaitingBytes   uint64            `json:"waiting_bytes"`
	NodesLinked    uint64            `json:"nodes_linked"`
	NodesKnown     uint64            `json:"nodes_known"`
	EntriesSent    uint64            `json:"entries_sent"`
	EntriesTaken   uint64            `json:"entries_taken"`
	Refused        map[string]uint64 `json:"refused"`
	TurnedAway     map[string]uint64 `json:"turned_away"`
	Dropped        map[string]uint64 `json:"dropped"`
}

type causalObject struct {
	Type string `json:"type"` // causal
	source
	Room     string          `json:"room"`
	Messages []messageObject `json:"messages"`
	Total    uint64          `json:"total"`
	Digest   string          `json:"digest"`
}

// ignoreObject is of type ignore or unignore.
type ignoreObject struct {
	Type string `json:"type"`
	source
	Name   string `json:"name"`
	Author string `json:"author"`
}

type ignoredObject struct {
	Type string `json:"type"` // ignored
	source
	People []personObject `json:"people"`
}

type releaseObject struct {
	Type string `json:"type"` // release
	source
	Name   string `json:"name"`
	Author string `json:"author"`
}

type bannedObject struct {
	Type string `json:"type"` // banned
	source
	Room string      `json:"room"`
	Bans []banObject `json:"bans"`
}

type banObject struct {
	Name     string `json:"name"`
	Author   string `json:"author"`
	By       string `json:"by"`
	ByAuthor string `json:"by_author"`
	Since    string `json:"since"`
	Until    string `json:"until,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

type pinsObject struct {
	Type string `json:"type"` // pins
	source
	Room     string          `json:"room"`
	Messages []messageObject `json:"messages"`
	Missing  []string        `json:"missing"`
}

type welcomeObject struct {
	Type string `json:"type"` // welcome
	source
	Room string `json:"room"`
	Text string `json:"text"`
}

type helpObject struct {
	Type string `json:"type"` // help
	source
	Commands []commandObject `json:"commands"`
}

type commandObject struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
	Usage   string   `json:"usage"`
	Text    string   `json:"text"`
	Admin   bool     `json:"admin,omitempty"`
	Screen  bool     `json:"screen,omitempty"`
	Rights  string   `json:"rights,omitempty"`
}

type redactedObject struct {
	Type string `json:"type"` // redacted
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	ID   string `json:"id"`
}
