package client

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/wire"
)

const (
	// maxPins bounds the names of which a client remembers whose they were; the one that was trusted first is forgotten.
	maxPins = 4096
	// maxContacts bounds the people whose cards are kept, and maxHeard the origins of one conversation; then all are forgotten.
	maxContacts = 1024
	maxHeard    = 256
)

// contact is somebody to whom texts can be sealed.
type contact struct {
	name string // as the node has told it last
	peer *seal.Peer
}

// contacts are those whom a client seals to, and whom it trusts its user to mean by a name. It is not safe for concurrent use: Client.mu guards it.
type contacts struct {
	byID    map[identity.ID]contact
	asked   map[string]identity.ID // by folded name: what the node has said on this link
	pins    pins
	changed map[string]identity.ID // by folded name: the key that the user was told has it now
	lookup  *lookup                // the question that the outbox waits for, or nil
}

// pins say whose names were, by folded name, when the user first wrote to them or was first written to.
type pins struct {
	byName map[string]pin
	made   uint64 // so far
}

// pin says whose a name was when the user first wrote to it.
type pin struct {
	id    identity.ID
	order uint64 // the higher, the later it was made
}

// voice is one origin of an author: what it says has ever higher numbers.
type voice struct {
	author identity.ID
	origin seal.Origin
}

// lookup is a question about somebody to whom something is to be sealed.
type lookup struct {
	who string
	q   *question
}

func newPins() pins { return pins{byName: map[string]pin{}} }

func newContacts() contacts {
	return contacts{byID: map[identity.ID]contact{}, asked: map[string]identity.ID{}, pins: newPins(), changed: map[string]identity.ID{}}
}

// unlink forgets what held on the last link alone: names change hands.
func (s *contacts) unlink() { clear(s.asked) }

// meet takes a card that the node has shown of somebody, if it is theirs.
func (s *contacts) meet(id identity.ID, name string, card []byte) {
	peer, err := seal.ReadCard(card)
	if err != nil || peer.ID != id {
		return // of no use, and no proof of anything
	}
	if len(s.byID) >= maxContacts {
		clear(s.byID)
	}
	s.byID[id] = contact{name: name, peer: peer}
}

// changes returns what the user is to be told when a name that they have written to is another key's, once for each key.
func (s *contacts) changes(name string, now identity.ID) []Event {
	folded := chat.Fold(name)
	was, pinned := s.pins.byName[folded]
	if !pinned || was.id == now || s.changed[folded] == now {
		return nil
	}
	s.changed[folded] = now
	return []Event{KeyChanged{Name: name, Was: was.id, Now: now}}
}

// sealedTo returns to whom a draft is to be sealed; "" when it is for a room, or says nothing.
func sealedTo(d *Draft) string {
	who, direct := strings.CutPrefix(d.Room, chat.DirectMark)
	if !direct || d.Kind != chat.Text && d.Kind != chat.Action {
		return ""
	}
	return who
}

// address finds out to whom the next send of the outbox is sealed, as far as that can be done without waiting, and writes down whose name it trusts. It
// reports whether the outbox can go on. It is the writer's to call.
func (c *Client) address() bool {
	c.mu.Lock()
	e := c.outbox.peek()
	if e == nil || !e.puzzles() {
		c.mu.Unlock()
		return e != nil
	}
	who := sealedTo(&e.draft)
	peer, code := c.peerLocked(who)
	name, id := "", identity.ID{}
	if peer != nil {
		id = peer.ID
		name, code = c.trustLocked(who, id)
	}
	c.mu.Unlock()
	if peer == nil && code == chat.OK {
		return false // the answer wakes the writer
	}
	if name != "" {
		c.complain(c.cfg.State.pin(name, id)) // before anything goes there: what is not known to be trusted could change unseen
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.refused = code; code == chat.OK {
		e.to = peer
	}
	return true
}

// trustLocked compares the key that a name has with the one that it had when the user first wrote to it, and returns the name that is to be pinned to
// it, if any: one that is new, or, where the user was told of a change, the name of the key that they write to by its id.
func (c *Client) trustLocked(who string, id identity.ID) (pins string, code chat.Code) {
	folded := chat.Fold(who)
	if _, err := identity.ParseID(who); err == nil {
		folded = chat.Fold(c.contacts.byID[id].name)
		if c.contacts.changed[folded] != id {
			return "", chat.OK
		}
		delete(c.contacts.changed, folded)
	} else if was, pinned := c.contacts.pins.byName[folded]; pinned && was.id != id {
		return "", chat.KeyChanged
	} else if pinned {
		return "", chat.OK
	}
	c.contacts.pins.set(folded, id)
	return folded, chat.OK
}

// set has a name stand for a key.
func (p *pins) set(folded string, id identity.ID) {
	p.made++
	p.byName[folded] = pin{id: id, order: p.made}
	if len(p.byName) > maxPins {
		delete(p.byName, p.oldestFirst()[0])
	}
}

// oldestFirst returns the names in the order in which they were pinned.
func (p *pins) oldestFirst() []string {
	return slices.SortedFunc(maps.Keys(p.byName), func(a, b string) int { return cmp.Compare(p.byName[a].order, p.byName[b].order) })
}

// clone returns a copy that changes by itself.
func (p *pins) clone() pins { return pins{byName: maps.Clone(p.byName), made: p.made} }

// peerLocked returns to whom a draft for a name or a key id is sealed, the code for which it can't be, or neither while the node is being asked.
func (c *Client) peerLocked(who string) (*seal.Peer, chat.Code) {
	s := &c.contacts
	if id, known := c.idLocked(who); known {
		if found, known := s.byID[id]; known {
			return found.peer, chat.OK
		}
	}
	if s.lookup == nil || s.lookup.who != who {
		s.lookup = &lookup{who: who, q: c.asker.add(&wire.Whois{Who: who})}
		c.poke()
	}
	select {
	case res := <-s.lookup.q.answer:
		s.lookup = nil
		return c.foundLocked(who, res)
	default:
		return nil, chat.OK
	}
}

// idLocked returns whose a name is, as far as that is known on this link: the conversation of that name that is open is with a key, and stays so.
func (c *Client) idLocked(who string) (identity.ID, bool) {
	if id, err := identity.ParseID(who); err == nil {
		return id, true
	}
	if r := c.rooms.find(chat.DirectMark + who); r != nil && r.open && r.direct() {
		return r.peer.ID, true
	}
	id, known := c.contacts.asked[chat.Fold(who)]
	return id, known
}

// foundLocked takes the answer of who somebody is.
func (c *Client) foundLocked(who string, res result) (*seal.Peer, chat.Code) {
	var refused *RefusedError
	if errors.As(res.err, &refused) && refused.Code != chat.OK {
		return nil, refused.Code
	}
	is, ok := res.record.(*wire.WhoisIs)
	if !ok || len(is.Person.ID) != len(identity.ID{}) {
		return nil, chat.Internal
	}
	id := identity.ID(is.Person.ID)
	if asked, err := identity.ParseID(who); err == nil && asked != id {
		return nil, chat.Internal
	}
	c.contacts.meet(id, is.Person.Name, is.Card)
	found, known := c.contacts.byID[id]
	if !known {
		return nil, chat.NoCard
	}
	if len(c.contacts.asked) >= maxContacts {
		clear(c.contacts.asked)
	}
	c.contacts.asked[chat.Fold(who)] = id
	return found.peer, chat.OK
}

// unseal has a message say what is sealed in its event, for a conversation with with, and who has proved to have written it. What can't be opened, or is not
// what the node says it is, is Unreadable.
func (c *Client) unseal(m *Message, with Person, self string, e *wire.Event) (by voice, opened bool) {
	m.Sealed, m.Unreadable, m.Text = true, true, ""
	o, err := c.self.Open(with.ID, e.CSeq, m.Re, e.Body)
	if err != nil {
		return voice{}, false
	}
	clean, code := chat.CheckBody(o.Kind, []byte(o.Body))
	own := o.Author == c.cfg.Key.ID()
	if code != chat.OK || m.Own && !own || !c.asker.vouch(e.From, o.Author) {
		return voice{}, false
	}
	m.Unreadable, m.Kind, m.Text, m.Name = false, o.Kind, string(clean), with.Name
	if own {
		m.Name = self // what the node calls its author counts for nothing
	}
	return voice{o.Author, o.Origin}, true
}

// unsealLocked is unseal for a message that comes in its turn, and knows one that came before.
func (c *Client) unsealLocked(m *Message, r *room, e *wire.Event) {
	by, opened := c.unseal(m, r.peer, c.name, e)
	if opened && e.CSeq <= r.heard[by] {
		m.Unreadable, m.Kind, m.Text, opened = true, chat.Sealed, "", false
	}
	if !opened {
		c.stats.Unreadable++
		return
	}
	if r.heard == nil || len(r.heard) >= maxHeard {
		r.heard = map[voice]uint64{}
	}
	r.heard[by] = e.CSeq
}

// trustShown pins the name under which somebody has proved to have written to the user, unless it stands for a key already.
func (c *Client) trustShown(m *Message) {
	if !m.Sealed || m.Unreadable || m.Removed || m.To == "" {
		return
	}
	c.mu.Lock()
	r, folded := c.rooms.shown(m.Room), chat.Fold(m.To)
	_, pinned := c.contacts.pins.byName[folded]
	if r == nil || !r.direct() || pinned {
		c.mu.Unlock()
		return
	}
	id := r.peer.ID
	c.contacts.pins.set(folded, id)
	c.mu.Unlock()
	c.complain(c.cfg.State.pin(folded, id))
}

// unsealAll opens what is sealed among messages of an answer. Whose conversation it is that was asked for, the node is asked where that is not known. Where the
// node can't tell, or names another key than the one that was pinned, that is an error if a conversation was asked for; of all that a search has found it is
// Unreadable alone.
func (c *Client) unsealAll(ctx context.Context, page []Message, events []*wire.Event, found bool) error {
	met := map[string]Person{}
	for i := range page {
		m := &page[i]
		if m.Kind != chat.Sealed {
			continue
		}
		with, known := met[m.Room]
		if !known {
			var err error
			with, err = c.personOf(ctx, m.Room)
			var refused *RefusedError
			if err != nil && !(found && errors.As(err, &refused)) {
				return err
			}
			met[m.Room] = with
		}
		c.unseal(m, with, c.Name(), events[i])
	}
	return nil
}

// personOf returns with whom a conversation is, as far as one can be. It returns a *RefusedError where the name is another key's than the one it is pinned to.
func (c *Client) personOf(ctx context.Context, room string) (Person, error) {
	who, direct := strings.CutPrefix(room, chat.DirectMark)
	if !direct {
		return Person{}, nil
	}
	c.mu.Lock()
	r := c.rooms.find(room)
	var open Person
	if r != nil && r.open {
		open = r.peer
	}
	c.mu.Unlock()
	if !open.ID.IsZero() {
		return open, nil
	}
	info, err := c.Whois(ctx, who)
	if err != nil {
		return Person{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if was, pinned := c.contacts.pins.byName[chat.Fold(who)]; pinned && was.id != info.ID {
		return Person{}, &RefusedError{Code: chat.KeyChanged, Text: who}
	}
	return info.Person, nil
}
