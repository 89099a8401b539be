package store

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// annalist fills a store that is shared: its rows and entries are as a node makes and takes them, and all that a check looks at holds.
type annalist struct {
	engine
	t     testing.TB
	key   *identity.Key // the node's
	epoch uint64
	rooms map[uint64]*RoomState
	logs  map[uint64]*annals
	from  map[uint64]*Origin
	clock int64
	batch Batch
	text  map[string]string // of each entry that is kept, by its id
}

// annals are a log, and what its node numbers its rows with.
type annals struct {
	Log
	key      *identity.Key
	epoch    uint64
	row      uint64
	cseq     uint64
	forge    func(*wire.Entry)             // applied to the next entry before it is signed
	tamper   func(*Entry)                  // applied to it before it is kept
	rephrase func(event *wire.Event) error // applied to its row's record
}

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newAnnalist(t testing.TB, e engine) *annalist {
	t.Helper()
	state, err := e.Load()
	if err != nil {
		t.Fatal(err)
	}
	a := &annalist{engine: e, t: t, key: newKey(t), epoch: state.Epoch, rooms: map[uint64]*RoomState{}, logs: map[uint64]*annals{}, from: map[uint64]*Origin{},
		clock: 1_800_000_000_000, text: map[string]string{}}
	if s, ok := e.(interface{ NodeKey([]byte) ([]byte, error) }); ok {
		if _, err := s.NodeKey(a.key.Text()); err != nil {
			t.Fatal(err)
		}
	}
	state.Sharing.Shared = true
	a.batch.Sharing = &state.Sharing
	return a
}

// room makes a room.
func (a *annalist) room(num uint64, name string) {
	r := Room{Num: num, Name: name}
	if name == "" {
		r.Peers = [2]identity.ID{{1}, {2}}
	}
	a.rooms[num] = &RoomState{Room: r}
	a.batch.Rooms = append(a.batch.Rooms, r)
}

// log begins a log of a node, whose key is its own or, where that is nil, this node's.
func (a *annalist) log(num, room uint64, key *identity.Key) *annals {
	l := &annals{Log: Log{Num: num, Nonce: num + 1<<63, Room: room, Low: 1}, key: key, epoch: 1000 + num}
	if key == nil {
		l.key, l.epoch = a.key, a.epoch
	}
	copy(l.Key[:], l.key.Public())
	a.logs[num] = l
	a.batch.Logs = append(a.batch.Logs, l.Log)
	return l
}

func (a *annalist) isOwn(l *annals) bool { return l.key == a.key }

// say adds an entry with a row to a log. What it depends on stands in other logs.
func (a *annalist) say(log uint64, text string, deps ...Entry) Entry {
	return a.add(log, chat.Text, text, 0, deps)
}

// again adds an entry that says the same as a row, and has none.
func (a *annalist) again(log uint64, text string, same uint64, deps ...Entry) Entry {
	return a.add(log, chat.Text, text, same, deps)
}

// act adds an act to a log, with a row, that is signed for a node, or for none.
func (a *annalist) act(log uint64, node identity.ID) {
	l := a.logs[log]
	l.rephrase = func(e *wire.Event) error {
		covers := identity.SignedAct{Node: node, Epoch: l.epoch, From: e.From, CSeq: e.CSeq, Room: a.rooms[l.Room].Name, Body: e.Body}
		if !a.isOwn(l) {
			covers.From += 900
		}
		e.Opts.Sig = l.key.SignAct(&covers)
		return nil
	}
	a.add(log, chat.Act, "readonly", 0, nil)
}

func (a *annalist) add(log uint64, kind chat.Kind, text string, same uint64, deps []Entry) Entry {
	a.t.Helper()
	l := a.logs[log]
	room := a.rooms[l.Room]
	a.clock++
	l.row++
	l.cseq++
	row := Row{Header: chat.Header{Epoch: a.epoch, Room: l.Room, Seq: room.Head + 1, From: log, CSeq: l.cseq, Time: a.clock, Kind: kind, Name: "carol"}, Body: []byte(text)}
	if same == 0 {
		room.Head++
	}
	rand.Read(row.Salt[:])
	author := l.key.ID()
	there := wire.Entry{Name: "carol", Seq: l.Head + 1, Epoch: l.epoch, Num: 70 + log, Row: l.row, From: 900 + log, CSeq: l.cseq, Time: a.clock - 5, Kind: kind,
		Author: author[:], Origin: make([]byte, 16), Lamport: l.Lamport}
	if a.isOwn(l) {
		there.Num, there.Row, there.From, there.Time = row.Room, row.Seq, row.From, row.Time
	}
	binary.BigEndian.PutUint64(there.Origin, log)
	if l.Head > 0 && l.HeadID != (wire.EntryID{}) {
		there.Prev = l.HeadID[:]
	}
	sum := chat.BodySum(&row.Salt, row.Body)
	there.Sum = sum[:]
	for i := range deps {
		other := a.logs[deps[i].Log]
		name := wire.Log{Node: other.Key[:], Nonce: other.Nonce, Room: room.LogName()}
		there.Deps = append(there.Deps, wire.Dep{Log: name.ID(), Seq: deps[i].Seq, ID: deps[i].ID[:16]})
		there.Lamport = max(there.Lamport, deps[i].Lamport)
	}
	there.Lamport++
	event := &wire.Event{Room: row.Room, Seq: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: kind, Body: row.Body}
	if kind == chat.Act {
		act := identity.SignedAct{Node: l.key.ID(), Epoch: there.Epoch, From: there.From, CSeq: there.CSeq, Room: room.Name, Body: row.Body}
		event.Opts.Sig = l.key.SignAct(&act)
		there.Opts.Sig = event.Opts.Sig
	}
	if l.forge != nil {
		l.forge(&there)
	}
	e := Entry{Log: log, Seq: there.Seq, Lamport: there.Lamport, Room: l.Room, Row: row.Seq, Hidden: same > 0, Same: same, Act: kind == chat.Act, Header: there.Encode()}
	name := wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: room.LogName()}
	e.ID = wire.EntryIDOf(name.ID(), e.Header)
	if !a.isOwn(l) {
		e.Sig = l.key.Sign(wire.EntryDomain, e.ID[:])
	}
	header := there.Header()
	row.ID = header.IDOf(sum)
	if same > 0 {
		e.Row, e.Salt, e.Body = room.Head, row.Salt[:], row.Body
	} else {
		room.Hash = room.Hash.Next(row.ID)
		row.Hash = room.Hash
		event.ID = row.ID
		if l.rephrase != nil {
			if err := l.rephrase(event); err != nil {
				a.t.Fatal(err)
			}
		}
		row.Record = wire.Must(nil, event)
		a.batch.Rows = append(a.batch.Rows, row)
		a.origin(log, author)
	}
	if !a.isOwn(l) && same == 0 {
		a.batch.Pairs = append(a.batch.Pairs, Pair{Origin: [16]byte(there.Origin), CSeq: there.CSeq, Room: l.Room, Row: row.Seq})
	}
	if l.tamper != nil {
		l.tamper(&e)
	}
	l.forge, l.tamper, l.rephrase = nil, nil, nil
	a.batch.Entries = append(a.batch.Entries, e)
	l.grow(&e)
	e.Salt, e.Body = row.Salt[:], row.Body
	a.text[string(e.ID[:])] = text
	return e
}

// origin notes who writes a log: a node's own origins know how far they are, those of others that they have been.
func (a *annalist) origin(log uint64, author identity.ID) {
	l := a.logs[log]
	o := &Origin{Num: log, Key: author, Last: l.cseq, Retired: true}
	if a.from[log] == nil && !a.isOwn(l) {
		a.batch.Abroad = append(a.batch.Abroad, Abroad{Epoch: l.epoch, From: 900 + log, Num: log, Name: [16]byte{byte(log)}, Via: l.Key})
	}
	a.from[log] = o
	if !a.isOwn(l) {
		o.Last = 1
	}
	a.batch.Origins = append(a.batch.Origins, *o)
}

// commit appends what has been added.
func (a *annalist) commit() {
	a.t.Helper()
	if err := a.Append(&a.batch); err != nil {
		a.t.Fatal(err)
	}
	a.batch = Batch{}
}

// annalsOf fills a store with a room of three logs, this node's among them, another of one, and a conversation; texts say who speaks.
func annalsOf(t testing.TB, e engine, rounds int) *annalist {
	a := newAnnalist(t, e)
	a.room(1, "lobby")
	a.room(2, "ops")
	a.room(3, "")
	a.log(1, 1, nil)
	a.log(2, 1, newKey(t))
	a.log(3, 1, newKey(t))
	a.log(4, 2, a.logs[2].key)
	a.log(5, 3, a.logs[3].key)
	for i := range rounds {
		mine := a.say(1, fmt.Sprint("mine ", i))
		theirs := a.say(2, fmt.Sprint("theirs ", i))
		a.say(3, fmt.Sprint("after both ", i), mine, theirs)
		a.say(4, fmt.Sprint("elsewhere ", i))
		a.say(5, fmt.Sprint("for two ", i))
		a.commit()
	}
	return a
}
