package client

import (
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// site is a node of a space.
type site struct {
	id    identity.ID
	epoch uint64
	space string
}

const testSpace = "the space of all"

var (
	siteA = site{identity.ID{0xa}, 0xa0, testSpace}
	siteB = site{identity.ID{0xb}, 0xb0, testSpace}
	siteC = site{identity.ID{0xc}, 0xc0, testSpace}
)

func (s site) title() string { return fmt.Sprintf("node %x", s.id[0]) }

// welcome is what the node says to a client.
func (s site) welcome(w *wire.Welcome) {
	w.Node, w.Title, w.Epoch, w.Space, w.LastCSeq, w.From = s.id[:], s.title(), s.epoch, []byte(s.space), min(w.LastCSeq, 0), 5+s.epoch
}

// at returns the next link, which is to this node, with the hello.
func (r *rig) at(s site, last uint64) (*peer, *wire.Hello) {
	r.t.Helper()
	p := <-r.links
	p.node = s.id
	return p, p.welcome(func(w *wire.Welcome) {
		s.welcome(w)
		w.LastCSeq = last
	})
}

// movesTo has the client find another node and come again under another origin; it returns the link, and the hello of the first and of this one.
func (r *rig) movesTo(s site) (p *peer, before, after *wire.Hello) {
	r.t.Helper()
	p, before = r.at(s, 0)
	<-p.done
	p, after = r.at(s, 0)
	return p, before, after
}

// same makes the next row of a message that has one id wherever it stands.
func (r *row) same(text string) *wire.Event {
	hash := r.hash
	e := r.next(text)
	e.ID = textID(text)
	r.hash = hash.Next(e.ID)
	return e
}

func (r *row) all(texts ...string) (rows []wire.Record) {
	for _, text := range texts {
		rows = append(rows, r.same(text))
	}
	return rows
}

func textID(text string) chat.ID { return idOf(0, 0, text) }

func ids(texts ...string) (ids []chat.ID) {
	for _, text := range texts {
		ids = append(ids, textID(text))
	}
	return ids
}

// moved answers a join of what was seen elsewhere.
func (r *row) moved(name string, seen ...[2]uint64) *wire.Open {
	o := r.open(name)
	o.Status, o.Seen = wire.StatusMoved, seen
	return o
}

// shows wants these texts next, and has them count as shown.
func (r *rig) shows(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		m := event[Message](r)
		if m.Text != text {
			r.t.Fatalf("%q is shown, want %q", m.Text, text)
		}
		r.Shown(m)
	}
}

// opens wants a room opened with this status.
func (r *rig) opens(status wire.Status) Opened {
	r.t.Helper()
	o := event[Opened](r)
	if o.Status != status {
		r.t.Errorf("%s opens with %d, want %d", o.Room, o.Status, status)
	}
	r.Shown(o)
	return o
}

func logs(first byte, seq uint64) wire.Grown { return wire.Grown{Log: wire.LogID{first}, Seq: seq} }
