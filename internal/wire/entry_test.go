package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// The story goes on between two nodes of one space: carol and bob are on plant 7, alice is on hall 2.
var (
	plantKey = ed25519.NewKeyFromSeed(counting(0x40, 32))
	hallKey  = ed25519.NewKeyFromSeed(counting(0x50, 32))
	hallID   = keyID(hallKey.Public().(ed25519.PublicKey))
	aliceID  = keyID(ed25519.NewKeyFromSeed(counting(0x30, 32)).Public().(ed25519.PublicKey))
	space    = counting(0xe0, 16)
	plantLog = Log{Node: plantKey.Public().(ed25519.PublicKey), Nonce: 0x1122334455667788, Room: "lobby"}
	hallLog  = Log{Node: hallKey.Public().(ed25519.PublicKey), Nonce: 0x99aabbccddeeff00, Room: "lobby"}
)

const hallEpoch = 0xfedcba9876543210

// signedSample is an entry of the story with all that follows from it.
type signedSample struct {
	name   string
	key    ed25519.PrivateKey
	log    Log
	entry  *Entry
	salt   []byte
	body   string
	id     EntryID
	signed Signed
}

// dep returns what another entry says to build on this one.
func (s *signedSample) dep() Dep {
	return Dep{Log: s.log.ID(), Seq: s.entry.Seq, ID: bytes.Clone(s.id[:16])}
}

// head returns what a node says that has the log up to this entry.
func (s *signedSample) head() Head {
	return Head{Log: s.log, Low: 1, Seq: s.entry.Seq, ID: bytes.Clone(s.id[:16])}
}

// tale is the entries of the story in their order, each after those that it builds on.
type tale struct{ all []*signedSample }

// add signs an entry that goes on from last in its log, and makes up its numbers.
func (t *tale) add(name string, key ed25519.PrivateKey, log Log, last *signedSample, deps []*signedSample, e Entry, body string) *signedSample {
	s := &signedSample{name: name, key: key, log: log, entry: &e, salt: counting(byte(0xf0-16*len(t.all)), 16), body: body}
	e.Seq, e.Prev, e.Deps = 1, []byte{}, []Dep{}
	if last != nil {
		e.Seq, e.Prev, e.Lamport = last.entry.Seq+1, bytes.Clone(last.id[:]), last.entry.Lamport
	}
	for _, d := range deps {
		e.Deps, e.Lamport = append(e.Deps, d.dep()), max(e.Lamport, d.entry.Lamport)
	}
	e.Lamport++
	e.Epoch, e.Num = storyEpoch, 1
	if bytes.Equal(log.Node, hallLog.Node) {
		e.Epoch, e.Num = hallEpoch, 4
	}
	sum := chat.BodySum((*[16]byte)(s.salt), []byte(body))
	e.Sum = sum[:]
	if e.Re == nil {
		e.Re = []byte{}
	}
	encoded := e.Encode()
	s.id = EntryIDOf(log.ID(), encoded)
	s.signed = Signed{Entry: encoded, Sig: ed25519.Sign(key, append([]byte(EntryDomain), s.id[:]...)), Salt: s.salt, Body: []byte(body)}
	t.all = append(t.all, s)
	return s
}

func originOf(first byte) []byte {
	name := OriginName([16]byte(counting(first, 16)))
	return name[:]
}

// story returns the entries, and one that the key of plant 7 has signed in the place of another.
func story() (all []*signedSample, forked *signedSample) {
	t := new(tale)
	id1, _ := storyRow(chat.Header{Seq: 1, From: 2, CSeq: 5, Time: storyTime - 60_000, Kind: chat.Text, Name: "bob"}, "anyone here?", chat.Hash{})
	first := t.add("entry-first", plantKey, plantLog, nil, nil, Entry{Row: 1, From: 2, CSeq: 5, Time: storyTime - 60_000, Name: "bob", Kind: chat.Text,
		Author: bobID, Origin: originOf(0x90), Opts: EntryOpts{Owner: bobID, Made: storyTime - 90_000}}, "anyone here?")
	there := t.add("entry-elsewhere", hallKey, hallLog, nil, []*signedSample{first}, Entry{Row: 2, From: 7, CSeq: 1, Time: storyTime + 900, Name: "alice", Kind: chat.Text,
		Re: id1[:], Author: aliceID, Origin: originOf(0xa0)}, "yes, in hall 2")
	reply := t.add("entry-reply", plantKey, plantLog, first, []*signedSample{there}, Entry{Row: 3, From: 3, CSeq: 1, Time: storyTime + 1500, Name: "carol", Kind: chat.Text,
		Re: id1[:], Author: carolID, Origin: originOf(0x80)}, "me!")
	mute := "mute " + bobText + " 10m spam"
	act := t.add("entry-act", plantKey, plantLog, reply, nil, Entry{Row: 4, From: 3, CSeq: 7, Time: storyTime + 3500, Name: "carol", Kind: chat.Act,
		Author: carolID, Origin: originOf(0x80), Opts: EntryOpts{Sig: actSig(carolKey, storyEpoch, 3, 7, "lobby", mute), Admin: true}}, mute)
	h := first.entry.Header()
	redact, target := "redact "+h.IDOf([sha256.Size]byte(first.entry.Sum)).String(), first.dep()
	gone := t.add("entry-redact", plantKey, plantLog, act, nil, Entry{Row: 5, From: 3, CSeq: 8, Time: storyTime + 4500, Name: "carol", Kind: chat.Act,
		Author: carolID, Origin: originOf(0x80), Opts: EntryOpts{Sig: actSig(carolKey, storyEpoch, 3, 8, "lobby", redact), Target: &target}}, redact)
	t.add("entry-private", plantKey, plantLog, gone, nil, Entry{Row: 6, From: 3, CSeq: 9, Time: storyTime + 5000, Name: "carol", Kind: chat.Act,
		Author: carolID, Origin: originOf(0x80), Opts: EntryOpts{Sig: actSig(carolKey, storyEpoch, 3, 9, "lobby", "private"), With: [][]byte{aliceID, carolID}}}, "private")
	t.add("entry-moved", hallKey, hallLog, there, []*signedSample{reply}, Entry{Row: 4, From: 9, CSeq: 1, Time: storyTime + 6000, Name: "carol", Kind: chat.Action,
		Author: carolID, Origin: originOf(0xb0), Opts: EntryOpts{As: &As{Origin: originOf(0x80), CSeq: 10}}}, "has moved")
	other := t.add("", plantKey, plantLog, first, nil, Entry{Row: 2, From: 2, CSeq: 6, Time: storyTime + 1500, Name: "bob", Kind: chat.Text,
		Author: bobID, Origin: originOf(0x90)}, "nobody?")
	return t.all[:len(t.all)-1], other
}

// bare returns a signed entry without its text.
func bare(s Signed) Signed {
	s.Salt, s.Body = []byte{}, []byte{}
	return s
}

// proofOf returns the proof that a log says two things.
func proofOf(a, b *signedSample) *Fork {
	if bytes.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	return &Fork{Log: a.log, A: bare(a.signed), B: bare(b.signed)}
}

// peerSamples are the records by which the two nodes tell one another of the story.
func peerSamples() []sample {
	const p = "peer"
	all, other := story()
	first, there, reply, last := all[0], all[1], all[2], all[len(all)-2]
	gone := bare(first.signed)
	addresses := &SignedAddresses{Key: hallLog.Node, Hosts: []string{"192.0.2.9:8080", "[2001:db8::9]:8080"}, Expires: storyTime + 24*3600*1000}
	addresses.Sig = ed25519.Sign(hallKey, append([]byte(AddressesDomain), addresses.Text()...))
	private := Log{Node: plantLog.Node, Nonce: plantLog.Nonce, Room: chat.DirectMark + idText(bobID) + " " + idText(carolID)}
	closed := there.head()
	closed.Private = true
	return []sample{
		{"peer", p, &Peer{Version: Version, Space: space, Key: plantLog.Node, Nonce: plantLog.Nonce, Title: "plant 7", Kept: true, Token: []byte{}, Record: []byte{}}},
		{"peer-invited", p, &Peer{Version: Version, Space: space, Key: hallLog.Node, Nonce: hallLog.Nonce, Token: counting(0xa0, TokenLen), Record: addresses.Encode()}},
		{"peer-bye", p, &Bye{Code: chat.OtherSpace}},
		{"digests", p, &Digests{Rooms: []RoomDigest{{Room: "annex", Digest: [8]byte(counting(1, 8))}, {Room: "lobby", Digest: Digest([]Head{last.head(), there.head()})}}, Last: true}},
		{"heads", p, &Heads{Heads: []Head{last.head(), closed}, Ask: true, Room: "lobby"}},
		{"heads-direct", p, &Heads{Heads: []Head{{Log: private, Low: 41, Seq: 40, ID: counting(0xc0, 16)}}, Room: private.Room}},
		{"want", p, &Want{Log: plantLog.ID(), From: 1, To: 2}},
		{"want-eager", p, &Want{Log: plantLog.ID(), Eager: true}},
		{"entries", p, &Entries{Log: plantLog.ID(), First: 1, List: []Signed{first.signed, reply.signed}}},
		{"entries-redacted", p, &Entries{Log: plantLog.ID(), First: 1, List: []Signed{gone}}},
		{"have", p, &Have{Logs: []Grown{{Log: plantLog.ID(), Seq: 5}, {Log: hallLog.ID(), Seq: 2}}}},
		{"lazy", p, &Lazy{Logs: []LogID{hallLog.ID()}}},
		{"fork", p, proofOf(reply, other)},
		{"addresses", p, &Addresses{List: [][]byte{addresses.Encode()}}},
		{"peer-people", p, &PeerPeople{Nodes: []NodePeople{{Node: nodeID, Title: "plant 7", Version: storyTime, People: []Abroad{
			{Key: bobID, Name: "bob", Card: bobCard, Rooms: []string{"lobby"}}, {Key: carolID, Name: "carol", Card: []byte{}, Away: true, Rooms: []string{}}}, Count: 2, Hops: 1}}}},
		{"trimmed", p, &Trimmed{Log: plantLog.ID(), Low: 4}},
	}
}

// movingSamples are what clients hear of other nodes, and ask.
func movingSamples() []sample {
	const cu, cd, hu, hd = "control up", "control down", "chat up", "chat down"
	all, _ := story()
	first, there, reply, moved := all[0], all[1], all[2], all[6]
	id := func(s *signedSample) chat.ID {
		h := s.entry.Header()
		return h.IDOf([sha256.Size]byte(s.entry.Sum))
	}
	heads := []Grown{{Log: plantLog.ID(), Seq: 2}, {Log: hallLog.ID(), Seq: 1}}
	late := &Event{Room: 1, Seq: 8, From: 12, CSeq: 1, Time: storyTime + 70_000, Name: "alice", Kind: chat.Text, Body: []byte(there.body), ID: id(there),
		Opts: Opts{Re: first.entry.Re, At: there.entry.Time}}
	firstID := id(first)
	late.Opts.Re = firstID[:]
	next := append(binary.BigEndian.AppendUint64(nil, reply.entry.Lamport), reply.id[:]...)
	digest := Digest([]Head{reply.head(), there.head()})
	peer := PeerInfo{Node: hallID, Title: "hall 2", Address: "192.0.2.9:8080", State: "linked", Admitted: true, RTT: 2100, Behind: 3, Seen: storyTime}
	return []sample{
		{"mark", hd, &Mark{Room: 1, Seq: 3, Heads: heads}},
		{"join-moved", hu, &Join{Room: "lobby", Tail: 50, Moved: &Moved{Heads: heads, IDs: []chat.ID{id(moved)}, Pairs: []As{{Origin: originOf(0x80), CSeq: 7}}}}},
		{"open-moved", hd, &Open{Room: 4, Name: "lobby", Status: StatusMoved, From: 2, Head: 7, Low: 1, Hash: chat.Hash(firstID), Topic: "night shift", Peer: []byte{}, Card: []byte{},
			Seen: [][2]uint64{{2, 3}, {6, 6}}}},
		{"event-late", hd, late},
		{"event-forked", hd, &Event{Room: 1, Seq: 9, From: 13, CSeq: 1, Time: storyTime + 70_000, Name: "bob", Kind: chat.Text, Body: []byte("x"), ID: chat.ID(counting(1, 8)), Opts: Opts{Forked: true}}},
		{"pub-as", hu, &Pub{CSeq: 1, Room: "lobby", Kind: chat.Action, Body: []byte(moved.body), Opts: Opts{As: moved.entry.Opts.As}}},
		{"nodes", cd, &Nodes{Nodes: []NodeAt{{Node: hallID, Hosts: []string{"192.0.2.9:8080"}}}}},
		{"causal", cu, &Causal{Room: "lobby", After: next}},
		{"causal-last", cu, &Causal{Room: "lobby", After: []byte{}, Last: true}},
		{"causal-is", cd, &CausalIs{Events: []Raw{rawEvent(late)}, Next: next, Digest: digest[:], Total: 9}},
		{"peers", cu, &Peers{}},
		{"peers-are", cd, &PeersAre{Space: space, Peers: []PeerInfo{peer}}},
		{"admit", cu, &Admit{Node: idText(hallID), Mode: AdmitIt}},
		{"admit-is", cd, &AdmitIs{Peer: peer}},
		{"stats", cu, &Stats{}},
		{"stats-are", cd, &StatsAre{Up: 90_000, Sessions: 12, Rooms: 3, Work: []NodeStats{}}},
		{"stats-are-whole", cd, &StatsAre{Up: 90_000, Sessions: 12, Rooms: 3, Work: []NodeStats{{
			People: 20, Conversations: 4, Messages: 1500, Deliveries: 18_000, DeliveredBytes: 2_600_000, Lag: Times{Half: 900, Most: 4100}, Commits: 700, Commit: Times{Half: 400, Most: 2900},
			Memory: 34 << 20, Segments: 1 << 20, Waiting: 228, Linked: 1, Known: 2, Sent: 70, Taken: 80,
			Refused: []Count{{What: "slow", N: 6}}, TurnedAway: []Count{{What: "not_invited", N: 2}, {What: "timeout", N: 1}}, Dropped: []Count{{What: "stalled", N: 1}}}}}},
		{"invite-node", cu, &Invite{Uses: 1, ForMS: 3600 * 1000, Node: true}},
		{"whois-is-abroad", cd, &WhoisIs{Person: Person{ID: aliceID, Name: "alice"}, Rooms: []string{}, Card: []byte{}, Via: "hall 2 (" + idText(hallID) + ")"}},
		{"welcome-space", cd, &Welcome{Version: Version, Node: hallID, Title: "hall 2", Name: "carol", From: 9, Epoch: hallEpoch, Outcomes: []Outcome{}, Time: storyTime + 5500, Space: space}},
		{"failed-not-admitted", cd, &Failed{Code: chat.NotAdmitted}},
	}
}

const entriesFile = "../../testdata/wire/entries.json"

// entryVector is an entry as testdata/wire keeps it, in hexadecimal, but for what is text. Hex is the encoded entry.
type entryVector struct {
	Name       string `json:"name"`
	Seed       string `json:"seed"` // of the node's key
	Node       string `json:"node"`
	Nonce      string `json:"nonce"`
	Room       string `json:"room"`
	Log        string `json:"log"` // LogID
	Diagnostic string `json:"diagnostic"`
	Hex        string `json:"hex"`
	ID         string `json:"id"` // EntryID
	Sig        string `json:"sig"`
	Salt       string `json:"salt"`
	Body       string `json:"body"`
	Message    string `json:"message"` // the message's id
}

// vectorOf returns the vector of a sample.
func vectorOf(t *testing.T, s *signedSample) entryVector {
	t.Helper()
	diagnostic, err := cbor.Diagnose(s.signed.Entry)
	if err != nil {
		t.Fatal(err)
	}
	log, h := s.log.ID(), s.entry.Header()
	return entryVector{Name: s.name, Seed: hex.EncodeToString(s.key.Seed()), Node: hex.EncodeToString(s.log.Node), Nonce: hex.EncodeToString(binary.BigEndian.AppendUint64(nil, s.log.Nonce)),
		Room: s.log.Room, Log: hex.EncodeToString(log[:]), Diagnostic: diagnostic, Hex: hex.EncodeToString(s.signed.Entry), ID: hex.EncodeToString(s.id[:]),
		Sig: hex.EncodeToString(s.signed.Sig), Salt: hex.EncodeToString(s.salt), Body: s.body, Message: h.IDOf([sha256.Size]byte(s.entry.Sum)).String()}
}

func readEntryVectors(t *testing.T) (list []entryVector) {
	t.Helper()
	text, err := os.ReadFile(entriesFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", entriesFile, err)
	}
	return list
}

// TestEntryVectors holds entries, with all that is hashed and signed of them, to the bytes in testdata/wire.
func TestEntryVectors(t *testing.T) {
	var want []entryVector
	all, _ := story()
	for _, s := range all {
		want = append(want, vectorOf(t, s))
	}
	if *update {
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(entriesFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vectors := readEntryVectors(t)
	if diff := cmp.Diff(want, vectors); diff != "" {
		t.Errorf("%s mismatch (-want +got):\n%s", entriesFile, diff)
	}
	for i, s := range all {
		e, err := DecodeEntry(s.signed.Entry)
		if err != nil || e.Check() != nil {
			t.Fatalf("%s: %v, %v", s.name, err, e.Check())
		}
		if diff := cmp.Diff(s.entry, e); diff != "" {
			t.Errorf("%s decoded mismatch (-want +got):\n%s", s.name, diff)
		}
		item, rest, err := readItem(s.signed.Entry)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: the second decoder leaves %d bytes: %v", s.name, len(rest), err)
		}
		if diff := cmp.Diff(elements(reflect.ValueOf(s.entry)), item); diff != "" {
			t.Errorf("%s elements mismatch (-want +got):\n%s", s.name, diff)
		}
		againByHand(t, &vectors[i])
	}
}

// againByHand computes what a vector says from its bytes alone, as docs/protocol.md tells it, with none of this package's code.
func againByHand(t *testing.T, v *entryVector) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(unhex(t, v.Seed))
	node := key.Public().(ed25519.PublicKey)
	log := sha256.Sum256(slices.Concat([]byte("chatnode/log/1"), node, unhex(t, v.Nonce), []byte{0, byte(len(v.Room))}, []byte(v.Room)))
	id := sha256.Sum256(slices.Concat([]byte("chatnode/entry/1"), log[:16], unhex(t, v.Hex)))
	signed := append([]byte("chatnode/entry/sign/1"), id[:]...)
	if hex.EncodeToString(node) != v.Node || hex.EncodeToString(log[:16]) != v.Log || hex.EncodeToString(id[:]) != v.ID || !ed25519.Verify(node, signed, unhex(t, v.Sig)) {
		t.Errorf("%s: log %x, id %x, or its signature: not what the vector says", v.Name, log[:16], id)
	}
	if !identity.CheckSignature(node, EntryDomain, id[:], unhex(t, v.Sig)) {
		t.Errorf("%s: identity does not take the signature", v.Name)
	}
	item, _, err := readItem(unhex(t, v.Hex))
	if err != nil {
		t.Fatal(err)
	}
	e := item.([]any)
	sum := sha256.Sum256(append(unhex(t, v.Salt), v.Body...))
	if !bytes.Equal(e[15].([]byte), sum[:]) {
		t.Errorf("%s: the hash of the text is %x, want %x", v.Name, e[15], sum)
	}
	text := []byte("chatnode/id/1")
	for _, i := range []int{4, 5, 6, 7, 8, 9, 11} { // epoch, num, row, from, cseq, time, kind
		text = binary.BigEndian.AppendUint64(text, e[i].(uint64))
	}
	name := e[10].(string)
	re := append(e[12].([]byte), make([]byte, 8)...)[:8]
	message := sha256.Sum256(slices.Concat(text, []byte{0, byte(len(name))}, []byte(name), re, sum[:]))
	if got := hex.EncodeToString(message[:8]); got != v.Message {
		t.Errorf("%s: the message's id is %s, want %s", v.Name, got, v.Message)
	}
}

// TestStoryHolds: the story itself keeps the rules that docs/protocol.md has for entries.
func TestStoryHolds(t *testing.T) {
	all, _ := story()
	type place struct {
		log LogID
		seq uint64
	}
	known := map[place]*signedSample{}
	for _, s := range all {
		want := uint64(0)
		if s.entry.Seq > 1 {
			last := known[place{s.log.ID(), s.entry.Seq - 1}]
			want = last.entry.Lamport
			if !bytes.Equal(last.id[:], s.entry.Prev) {
				t.Errorf("%s does not go on from the entry before it", s.name)
			}
		}
		for _, d := range s.entry.Deps {
			dep := known[place{d.Log, d.Seq}]
			if dep == nil || !bytes.Equal(dep.id[:16], d.ID) {
				t.Fatalf("%s builds on what is not there", s.name)
			}
			want = max(want, dep.entry.Lamport)
		}
		if s.entry.Lamport != want+1 {
			t.Errorf("%s has lamport %d, want %d", s.name, s.entry.Lamport, want+1)
		}
		known[place{s.log.ID(), s.entry.Seq}] = s
	}
}

// TestDecodeEntryRefuses: of one entry there is one encoding, so that nobody can have two ids for it.
func TestDecodeEntryRefuses(t *testing.T) {
	all, _ := story()
	good := all[0].signed.Entry
	spoilt := map[string][]byte{
		"nothing":             {},
		"another byte":        append(bytes.Clone(good), 0),
		"without its end":     good[:len(good)-1],
		"an element more":     append([]byte{good[0] + 1}, append(bytes.Clone(good[1:]), 0)...),
		"an element less":     append([]byte{good[0] - 1}, good[1:len(good)-len(EncodeRaw(all[0].entry.Opts))]...),
		"a longer head":       append([]byte{0x98, good[0] - 0x80}, good[1:]...),
		"a longer number":     append([]byte{good[0], 0x18}, good[1:]...),
		"null for the id":     bytes.Replace(good, []byte{good[0], 1, 0x40}, []byte{good[0], 1, 0xf6}, 1),
		"an option not known": bytes.Replace(good, []byte{0xa2, 6}, []byte{0xa3, 6}, 1),
		"too long":            make([]byte, MaxEntry+1),
	}
	spoilt["an option not known"] = append(spoilt["an option not known"], 9, 0)
	for name, b := range spoilt {
		if e, err := DecodeEntry(b); e != nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v, want ErrMalformed", name, e, err)
		}
		if name != "nothing" && bytes.Equal(b, good) {
			t.Errorf("%s: nothing is spoilt", name)
		}
	}
	if _, err := DecodeEntry(good); err != nil {
		t.Errorf("the entry that the cases above break: %v", err)
	}
}

func TestEntryCheck(t *testing.T) {
	all, _ := story()
	text, act := all[2].entry, all[4].entry
	for name, c := range map[string]struct {
		from  *Entry
		spoil func(*Entry)
	}{
		"no number":                  {text, func(e *Entry) { e.Seq = 0 }},
		"a number too high":          {text, func(e *Entry) { e.Seq, e.Lamport = MaxCount+1, MaxCount+1 }},
		"no lamport":                 {text, func(e *Entry) { e.Lamport = 0 }},
		"lamport below its number":   {text, func(e *Entry) { e.Lamport = e.Seq - 1 }},
		"lamport too high":           {text, func(e *Entry) { e.Lamport = 1 << 63 }},
		"nothing before the second":  {text, func(e *Entry) { e.Prev = nil }},
		"something before the first": {text, func(e *Entry) { e.Seq = 1 }},
		"half of what is before":     {text, func(e *Entry) { e.Prev = e.Prev[:16] }},
		"too many deps":              {text, func(e *Entry) { e.Deps = slices.Repeat(e.Deps, MaxDeps+1) }},
		"dep of no number":           {text, func(e *Entry) { e.Deps = []Dep{{ID: counting(0, 16)}} }},
		"dep without id":             {text, func(e *Entry) { e.Deps = []Dep{{Seq: 1}} }},
		"no row":                     {text, func(e *Entry) { e.Row = 0 }},
		"no room":                    {text, func(e *Entry) { e.Num = 0 }},
		"an origin too high":         {text, func(e *Entry) { e.From = 1 << 63 }},
		"a cseq too high":            {text, func(e *Entry) { e.CSeq = 1 << 63 }},
		"before all time":            {text, func(e *Entry) { e.Time = -1 }},
		"after all time":             {text, func(e *Entry) { e.Time = MaxCount + 1 }},
		"no name":                    {text, func(e *Entry) { e.Name = "" }},
		"name too long":              {text, func(e *Entry) { e.Name = strings.Repeat("x", MaxEntryName+1) }},
		"no kind":                    {text, func(e *Entry) { e.Kind = 0 }},
		"a draft":                    {text, func(e *Entry) { e.Kind = chat.Skip }},
		"half of an answered id":     {text, func(e *Entry) { e.Re = e.Re[:4] }},
		"no author":                  {text, func(e *Entry) { e.Author = nil }},
		"no origin":                  {text, func(e *Entry) { e.Origin = e.Origin[:15] }},
		"no sum":                     {text, func(e *Entry) { e.Sum = nil }},
		"as nobody":                  {text, func(e *Entry) { e.Opts.As = &As{CSeq: 1} }},
		"text with a signature":      {text, func(e *Entry) { e.Opts.Sig = act.Opts.Sig }},
		"text with a target":         {text, func(e *Entry) { e.Opts.Target = act.Opts.Target }},
		"text with members":          {text, func(e *Entry) { e.Opts.With = [][]byte{bobID} }},
		"text of an admin":           {text, func(e *Entry) { e.Opts.Admin = true }},
		"half of a signature":        {act, func(e *Entry) { e.Opts.Sig = e.Opts.Sig[:64] }},
		"target without id":          {act, func(e *Entry) { e.Opts.Target = &Dep{Seq: 1} }},
		"too many members":           {act, func(e *Entry) { e.Opts.With = slices.Repeat([][]byte{bobID}, MaxWith+1) }},
		"half of a member":           {act, func(e *Entry) { e.Opts.With = [][]byte{bobID[:16]} }},
		"half of an owner":           {text, func(e *Entry) { e.Opts.Owner = bobID[:16] }},
		"made before all time":       {text, func(e *Entry) { e.Opts.Made = -1 }},
	} {
		e := *c.from
		if err := e.Check(); err != nil {
			t.Fatalf("%s: the entry to spoil: %v", name, err)
		}
		c.spoil(&e)
		if err := e.Check(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

// largest is an entry of which everything is as long as Check allows.
func largest() *Entry {
	dep := Dep{Log: LogID(counting(0, 16)), Seq: MaxCount, ID: counting(0, 16)}
	return &Entry{Seq: MaxCount, Prev: counting(0, 32), Lamport: MaxCount, Deps: slices.Repeat([]Dep{dep}, MaxDeps), Epoch: 1<<64 - 1, Num: MaxCount, Row: MaxCount, From: MaxCount,
		CSeq: MaxCount, Time: MaxCount, Name: strings.Repeat("x", MaxEntryName), Kind: 255, Re: counting(0, 8), Author: bobID, Origin: counting(0, 16), Sum: counting(0, 32),
		Opts: EntryOpts{As: &As{Origin: counting(0, 16), CSeq: 1<<64 - 1}, Owner: bobID, Made: MaxCount}}
}

// largestAct is the largest act.
func largestAct() *Entry {
	e := largest()
	e.Kind = chat.Act
	e.Opts.Sig, e.Opts.Target, e.Opts.Admin, e.Opts.With = counting(0, actSigLen), &e.Deps[0], true, slices.Repeat([][]byte{bobID}, MaxWith)
	return e
}

// TestPeerRecordsFit: what keeps to the bounds in check.go fits into a record, and is what its reader takes.
func TestPeerRecordsFit(t *testing.T) {
	act := largestAct()
	if err := act.Check(); err != nil {
		t.Fatal(err)
	}
	encoded := act.Encode()
	if e, err := DecodeEntry(encoded); err != nil {
		t.Fatalf("the largest act, of %d bytes: %v, %v", len(encoded), e, err)
	}
	log := Log{Node: counting(0, 32), Nonce: 1<<64 - 1, Room: strings.Repeat("r", MaxLogRoom)}
	signed := Signed{Entry: make([]byte, MaxEntry), Sig: counting(0, 64), Salt: counting(0, 16), Body: make([]byte, MaxBody)}
	hosts := slices.Repeat([]string{strings.Repeat("h", MaxHost)}, MaxHosts)
	addresses := (&SignedAddresses{Key: counting(0, 32), Hosts: hosts, Expires: MaxCount, Sig: counting(0, 64)}).Encode()
	if _, err := DecodeAddresses(addresses); err != nil {
		t.Errorf("the longest addresses: %v", err)
	}
	people := NodePeople{Node: bobID, Title: strings.Repeat("t", chat.MaxTitle), Version: 1<<64 - 1, Count: 1<<64 - 1, Hops: MaxHops, People: slices.Repeat([]Abroad{
		{Key: bobID, Name: strings.Repeat("n", MaxEntryName), Card: bobCard, Rooms: slices.Repeat([]string{log.Room}, MaxAbroadRooms)}}, MaxAbroad)}
	people.Fit(MaxRecord - 16)
	if n := len(people.People); n == 0 || n == MaxAbroad {
		t.Errorf("%d people fit", n)
	}
	peer := PeerInfo{Node: bobID, Title: people.Title, Address: hosts[0], State: "dropped", RTT: MaxCount, Behind: MaxCount, Ahead: MaxCount, Seen: MaxCount, Note: strings.Repeat("n", MaxNote)}
	grown := Grown{Log: log.ID(), Seq: MaxCount}
	counts := slices.Repeat([]Count{{What: strings.Repeat("w", MaxWhat), N: MaxCount}}, MaxCounts)
	for _, r := range []Record{
		&Peer{Version: Version, Space: space, Key: log.Node, Nonce: 1<<64 - 1, Title: people.Title, Token: counting(0, 16), Record: addresses},
		&Digests{Rooms: slices.Repeat([]RoomDigest{{Room: log.Room}}, MaxHeads)},
		&Heads{Room: log.Room, Heads: slices.Repeat([]Head{{Log: log, Low: MaxCount, Seq: MaxCount, ID: counting(0, 16)}}, MaxHeads)},
		&Entries{First: MaxCount, List: []Signed{signed}},
		&Have{Logs: slices.Repeat([]Grown{grown}, MaxGrown)},
		&Lazy{Logs: slices.Repeat([]LogID{log.ID()}, MaxGrown)},
		&Fork{Log: log, A: bare(signed), B: bare(signed)},
		&Addresses{List: slices.Repeat([][]byte{addresses}, MaxAddresses)},
		&PeerPeople{Nodes: []NodePeople{people}},
		&Mark{Room: MaxCount, Seq: MaxCount, Heads: slices.Repeat([]Grown{grown}, MaxMarkHeads)},
		&Join{Room: log.Room, Tail: MaxCount, Moved: &Moved{Heads: slices.Repeat([]Grown{grown}, MaxMarkHeads), IDs: make([]chat.ID, MaxMovedIDs), Pairs: slices.Repeat([]As{{Origin: make([]byte, 16), CSeq: MaxCount}}, MaxMovedPairs)}},
		&Open{Name: log.Room, Topic: strings.Repeat("t", chat.MaxTopic), Seen: slices.Repeat([][2]uint64{{1 << 40, 1 << 40}}, MaxSeen)},
		&Nodes{Nodes: slices.Repeat([]NodeAt{{Node: bobID, Hosts: hosts}}, MaxAddresses)},
		&PeersAre{Space: space, Peers: slices.Repeat([]PeerInfo{peer}, MaxPeers)},
		&StatsAre{Up: MaxCount, Work: []NodeStats{{Refused: counts, TurnedAway: counts, Dropped: counts}}},
	} {
		record, err := Append(nil, r)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if _, isOpen := r.(*Open); isOpen {
			continue // its ranges are one and the same, which no reader takes
		}
		if _, err := Decode(record[HeaderLen:]); err != nil {
			t.Errorf("%T of %d bytes: %v", r, len(record), err)
		}
	}
}

func TestNodePeopleFit(t *testing.T) {
	for size := range 400 {
		n := NodePeople{Node: bobID, Count: 3, People: []Abroad{{Key: bobID, Name: "bob", Rooms: []string{"lobby"}}, {Key: carolID, Name: "carol"}, {Key: aliceID, Name: "alice", Card: bobCard}}}
		all := len(EncodeRaw(&n))
		n.Fit(size)
		if got := len(EncodeRaw(&n)); got > size && len(n.People) > 0 {
			t.Errorf("%d people take %d bytes, want at most %d", len(n.People), got, size)
		}
		if size >= all+HeaderLen && len(n.People) != 3 {
			t.Errorf("%d people are left in %d bytes, of which they need %d", len(n.People), size, all)
		}
		if n.Count != 3 {
			t.Errorf("a count of %d, want 3", n.Count)
		}
	}
}

func TestDigest(t *testing.T) {
	all, _ := story()
	a, b := all[0].head(), all[1].head()
	want := Digest([]Head{a, b})
	if got := Digest([]Head{b, a}); got != want {
		t.Errorf("in another order: %x, want %x", got, want)
	}
	low, none := a, Head{Log: Log{Node: plantLog.Node, Room: "lobby"}, Low: 1}
	low.Low = 2
	if got := Digest([]Head{low, b, none}); got != want {
		t.Errorf("with less of a log and nothing of another: %x, want %x", got, want)
	}
	for name, spoil := range map[string]func(*Head){
		"seq": func(h *Head) { h.Seq++ }, "id": func(h *Head) { h.ID = counting(0, 16) }, "log": func(h *Head) { h.Log.Nonce++ },
	} {
		other := a
		spoil(&other)
		if Digest([]Head{other, b}) == want {
			t.Errorf("another %s has the same digest", name)
		}
	}
	logs := [][]byte{}
	for _, s := range all[:2] {
		id := s.log.ID()
		logs = append(logs, slices.Concat(id[:], []byte{0, 0, 0, 0, 0, 0, 0, 1}, s.id[:16]))
	}
	slices.SortFunc(logs, bytes.Compare)
	if sum := sha256.Sum256(bytes.Join(logs, nil)); [8]byte(sum[:8]) != want {
		t.Errorf("Digest = %x, want %x", want, sum[:8])
	}
}

func TestForkEntries(t *testing.T) {
	all, other := story()
	good := func() *Fork { return proofOf(all[2], other) }
	a, b, err := good().Entries()
	if err != nil || a.Seq != 2 || b.Seq != 2 {
		t.Fatalf("a proof is none: %v", err)
	}
	for name, spoil := range map[string]func(*Fork){
		"one entry twice":   func(f *Fork) { f.B = f.A },
		"out of order":      func(f *Fork) { f.A, f.B = f.B, f.A },
		"two places":        func(f *Fork) { *f = *proofOf(all[0], all[2]) },
		"with a text":       func(f *Fork) { f.A.Salt = counting(0, 16) },
		"no entry":          func(f *Fork) { f.A.Entry = []byte{0x80} },
		"no other entry":    func(f *Fork) { f.B.Entry = nil },
		"no signature":      func(f *Fork) { f.B.Sig = nil },
		"no node":           func(f *Fork) { f.Log.Node = nil },
		"not well-formed":   func(f *Fork) { e := *all[2].entry; e.Author = nil; f.A.Entry = e.Encode() },
		"of another number": func(f *Fork) { e := *all[2].entry; e.Seq = 3; f.B.Entry = e.Encode() },
	} {
		f := good()
		spoil(f)
		if _, _, err := f.Entries(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestDecodeAddresses(t *testing.T) {
	good := &SignedAddresses{Key: hallLog.Node, Hosts: []string{"192.0.2.9:8080"}, Expires: storyTime, Sig: counting(0, 64)}
	got, err := DecodeAddresses(good.Encode())
	if diff := cmp.Diff(good, got); diff != "" || err != nil {
		t.Errorf("error %v, mismatch (-want +got):\n%s", err, diff)
	}
	if !bytes.Equal(good.Text()[1:], good.Encode()[1:len(good.Text())]) {
		t.Errorf("signed is %x, of %x", good.Text(), good.Encode())
	}
	for name, spoil := range map[string]func(*SignedAddresses){
		"no key": func(s *SignedAddresses) { s.Key = nil }, "no signature": func(s *SignedAddresses) { s.Sig = s.Sig[:63] },
		"too many": func(s *SignedAddresses) { s.Hosts = slices.Repeat(s.Hosts, MaxHosts+1) }, "an empty one": func(s *SignedAddresses) { s.Hosts = []string{""} },
		"one too long": func(s *SignedAddresses) { s.Hosts = []string{strings.Repeat("h", MaxHost+1)} }, "before all time": func(s *SignedAddresses) { s.Expires = -1 },
	} {
		s := *good
		spoil(&s)
		if _, err := DecodeAddresses(s.Encode()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "a number": {1}, "too long": make([]byte, MaxAddressRecord+1)} {
		if _, err := DecodeAddresses(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}
