package client

import (
	"fmt"
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
	now      map[identity.ID]string // names by key
	told     map[identity.ID]string
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

// people converts a list of people, cut to maxPeople.
func people(list []wire.Person) ([]Person, error) {
	out := make([]Person, 0, min(len(list), maxPeople))
	for _, p := range list[:min(len(list), maxPeople)] {
		if len(p.ID) != len(identity.ID{}) {
			return nil, fmt.Errorf("%w: a key id of %d bytes", wire.ErrMalformed, len(p.ID))
		}
		out = append(out, Person{ID: identity.ID(p.ID), Name: p.Name})
	}
	return out, nil
}

// merge takes one record in. What it says of a room that is not watched is passed over: it was on its way when the watch changed.
func (p *presence) merge(rp *wire.RoomPresence) error {
	here, err := people(rp.Here)
	if err != nil {
		return err
	}
	gone, err := people(rp.Gone)
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
		r.now = map[identity.ID]string{}
	}
	for _, who := range gone {
		delete(r.now, who.ID)
	}
	for _, who := range here {
		if _, known := r.now[who.ID]; known || len(r.now) < maxPeople {
			r.now[who.ID] = who.Name
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
		r.told = make(map[identity.ID]string, len(r.now))
		for id, name := range r.now {
			r.told[id] = name
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (r *roomPresence) list() []Person {
	out := make([]Person, 0, len(r.now))
	for id, name := range r.now {
		out = append(out, Person{ID: id, Name: name})
	}
	sortPeople(out)
	return out
}

func (r *roomPresence) differences() []Event {
	var gone, renamed, joined []Person
	for id, name := range r.told {
		if _, here := r.now[id]; !here {
			gone = append(gone, Person{ID: id, Name: name})
		}
	}
	for id, name := range r.now {
		if old, known := r.told[id]; !known {
			joined = append(joined, Person{ID: id, Name: name})
		} else if old != name {
			renamed = append(renamed, Person{ID: id, Name: name})
		}
	}
	var out []Event
	for _, list := range [][]Person{gone, renamed, joined} {
		sortPeople(list)
	}
	for _, who := range gone {
		out = append(out, Gone{Room: r.name, Name: who.Name, ID: who.ID})
	}
	for _, who := range renamed {
		out = append(out, Renamed{Room: r.name, Old: r.told[who.ID], New: who.Name, ID: who.ID})
	}
	for _, who := range joined {
		out = append(out, Joined{Room: r.name, Name: who.Name, ID: who.ID})
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
