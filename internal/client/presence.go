package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxPeople bounds the people that are followed in one room; a node sends counts alone above half of that.
const maxPeople = 1024

// presence follows who is in the watched rooms. The consumer is told what differs from what it was told last, however many records came
// in between: somebody who came and went is not mentioned. It is not safe for concurrent use: feed.mu guards it.
type presence struct {
	rooms []*roomPresence // those watched, in the order of the watch
}

type roomPresence struct {
	name     string
	now      map[identity.ID]Person
	told     map[identity.ID]Person
	count    int
	snapshot bool // the consumer is to be told all
	changed  bool
}

// watch follows these rooms and no others.
func (p *presence) watch(names []string) {
	var list []*roomPresence
	for _, name := range names {
		r := p.find(name)
		if r == nil {
			r = &roomPresence{name: name}
		}
		list = append(list, r)
	}
	p.rooms = list
}

func (p *presence) find(name string) *roomPresence {
	for _, r := range p.rooms {
		if r.name == name {
			return r
		}
	}
	return nil
}

// people converts a list of people, cut to maxPeople. away has the places of those who are away; others than those of the list say nothing.
func people(list []wire.Person, away []uint64) ([]Person, error) {
	out := make([]Person, 0, min(len(list), maxPeople))
	for _, p := range list[:min(len(list), maxPeople)] {
		if len(p.ID) != len(identity.ID{}) {
			return nil, fmt.Errorf("%w: a key id of %d bytes", wire.ErrMalformed, len(p.ID))
		}
		out = append(out, Person{ID: identity.ID(p.ID), Name: p.Name})
	}
	for _, at := range away {
		if at < uint64(len(out)) {
			out[at].Away = true
		}
	}
	return out, nil
}

// merge takes one record in. What it says of a room that is not watched is passed over: it was on its way when the watch changed.
func (p *presence) merge(rp *wire.RoomPresence) error {
	here, err := people(rp.Here, rp.Away)
	if err != nil {
		return err
	}
	gone, err := people(rp.Gone, nil)
	if err != nil {
		return err
	}
	r := p.find(rp.Room)
	if r == nil {
		return nil
	}
	if rp.Snapshot {
		r.now, r.snapshot = nil, true
	}
	if r.now == nil {
		r.now = map[identity.ID]Person{}
	}
	for _, who := range gone {
		delete(r.now, who.ID)
	}
	for _, who := range here {
		if _, known := r.now[who.ID]; known || len(r.now) < maxPeople {
			r.now[who.ID] = who
		}
	}
	r.count, r.changed = int(min(rp.Count, 1<<31-1)), true
	return nil
}

// take returns what the consumer does not know yet, of one room, and counts it as told.
func (p *presence) take() []Event {
	for _, r := range p.rooms {
		if !r.changed {
			continue
		}
		r.changed = false
		var out []Event
		if r.snapshot {
			out = []Event{Present{Room: r.name, Count: r.count, People: r.list()}}
		} else {
			out = r.differences()
		}
		r.snapshot = false
		r.told = maps.Clone(r.now)
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (r *roomPresence) list() []Person {
	out := slices.AppendSeq(make([]Person, 0, len(r.now)), maps.Values(r.now))
	sortPeople(out)
	return out
}

func (r *roomPresence) differences() []Event {
	var gone, renamed, stirred, joined []Person
	for id, who := range r.told {
		if _, here := r.now[id]; !here {
			gone = append(gone, who)
		}
	}
	for id, who := range r.now {
		old, known := r.told[id]
		if !known {
			joined = append(joined, who)
			continue
		}
		if old.Name != who.Name {
			renamed = append(renamed, who)
		}
		if old.Away != who.Away {
			stirred = append(stirred, who)
		}
	}
	var out []Event
	for _, list := range [][]Person{gone, renamed, stirred, joined} {
		sortPeople(list)
	}
	for _, who := range gone {
		out = append(out, Gone{Room: r.name, Name: who.Name, ID: who.ID})
	}
	for _, who := range renamed {
		out = append(out, Renamed{Room: r.name, Old: r.told[who.ID].Name, New: who.Name, ID: who.ID})
	}
	for _, who := range stirred {
		out = append(out, Stirred{Room: r.name, Name: who.Name, ID: who.ID, Away: who.Away})
	}
	for _, who := range joined {
		out = append(out, Joined{Room: r.name, Name: who.Name, ID: who.ID, Away: who.Away})
	}
	return out
}

// sortPeople sorts by folded name, and by key among those of one name.
func sortPeople(list []Person) {
	slices.SortFunc(list, func(a, b Person) int {
		if c := strings.Compare(chat.Fold(a.Name), chat.Fold(b.Name)); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
}
