package client

import (
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// restore takes over from Config.State what is not sent: the log that was read, and the places in it.
func (c *Client) restore() {
	s := c.cfg.State
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.met, c.epoch, c.home, c.nodes, c.ignored = s.met, s.epoch, s.home, s.nodes, maps.Clone(s.ignored)
	c.contacts.pins = s.pins.clone()
	if s.owed > 0 {
		c.feed.put(Reset{Why: s.why})
	}
	if c.cfg.Fresh {
		c.rooms.past = notes(s.rooms)
		return
	}
	c.rooms.past = maps.Clone(s.rooms)
	if c.met && c.cfg.Direct {
		c.direct = true // so that conversations which began meanwhile are shown as far back as can be
		c.rooms.recallDirect()
	}
}

// restoreSends takes over what was not answered, behind the joins.
func (c *Client) restoreSends() {
	s := c.cfg.State
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.n = c.outbox.restore(&s.memory)
}

// Shown says that an event was shown to the user, or handed on for good, and all events before it. With Config.State the next client goes
// on behind it: one that is killed between showing a message and saying so shows that message again, and none is left out. Events that
// have no place in a room's log are of no interest.
func (c *Client) Shown(e Event) {
	if m, ok := e.(Message); ok {
		c.trustShown(&m)
	}
	s := c.cfg.State
	if s == nil {
		return
	}
	switch e := e.(type) {
	case Message:
		c.shownMessage(&e)
	case Opened:
		c.shownOpened(&e)
	case Passed:
		if key := c.keyOf(e.Room); key != "" {
			c.complain(s.passed(key, e.Seen))
		}
	case Gap:
		c.shown(e.Room, e.Cursor, false)
	case Reset:
		if e.Room == "" {
			c.complain(s.resetShown())
		} else {
			c.shown(e.Room, e.Cursor, true)
		}
	case Left:
		if !strings.HasPrefix(e.Room, chat.DirectMark) {
			c.complain(s.forget(e.Room))
		}
	}
}

// shownMessage notes a message that was shown: in a space, so that another node can be told too.
func (c *Client) shownMessage(m *Message) {
	key := c.keyOf(m.Room)
	switch {
	case key == "" || m.Cursor == (chat.Cursor{}):
	case !c.inSpace():
		c.complain(c.cfg.State.shown(key, m.Cursor, false))
	default:
		c.complain(c.cfg.State.step(key, m.Cursor, m.ID, c.passed(m.Room, m.Cursor)))
	}
}

func (c *Client) shownOpened(e *Opened) {
	if e.Status != wire.StatusMoved {
		c.shown(e.Room, e.Cursor, false)
	} else if key := c.keyOf(e.Room); key != "" {
		c.complain(c.cfg.State.moved(key, e.Cursor, e.Seen))
	}
}

func (c *Client) shown(room string, cursor chat.Cursor, anew bool) {
	if key := c.keyOf(room); key != "" && cursor != (chat.Cursor{}) {
		c.complain(c.cfg.State.shown(key, cursor, anew))
	}
}

// Read says how far the user has read an open room: up to seq. It never goes back, and is remembered with Config.State.
func (c *Client) Read(room string, seq uint64) {
	if key := c.setRead(room, seq); key != "" {
		c.complain(c.cfg.State.read(key, seq))
	}
}

// setRead returns the key of the room, or "" when nothing has changed.
func (c *Client) setRead(room string, seq uint64) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms.shown(room)
	if r == nil || seq <= r.read || seq > r.place.cursor.Seq {
		return ""
	}
	r.read = seq
	return r.key
}

// maxNote bounds, in bytes, what a front end can note on a room.
const maxNote = 64

var errNote = fmt.Errorf("a note on a room is one line of at most %d bytes", maxNote)

// isNote reports whether a front end may note that on a room.
func isNote(note string) bool {
	return len(note) <= maxNote && utf8.ValidString(note) && !strings.ContainsFunc(note, unicode.IsControl)
}

// Prefer has a front end's own note on an open room remembered in place of the one before, with Config.State beyond this client: one line of at
// most 64 bytes, with a meaning that is the front end's alone; "" is none. RoomState.Note returns it. It goes with the room: who leaves that, or is
// put out of it, has none on it any more. A conversation's hangs on the other's key, and outlives a change of name. It returns a *RefusedError
// for a room that is not open and another error for what is no note; nothing has changed then.
func (c *Client) Prefer(room, note string) error {
	if !isNote(note) {
		return errNote
	}
	c.filing.Lock() // so that of two notes at once the same one holds here and in the file
	defer c.filing.Unlock()
	key, changed := c.setNote(room, note)
	if key == "" {
		return &RefusedError{Code: chat.NotJoined, Text: room}
	}
	if changed {
		c.complain(c.cfg.State.prefer(key, note))
	}
	return nil
}

// setNote returns the key of the room, or "" when it is not open.
func (c *Client) setNote(room, note string) (key string, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms.shown(room)
	if r == nil || !r.open {
		return "", false
	}
	changed = r.note != note
	r.note = note
	return r.key, changed
}

// keyOf returns the key of a room by the name that an event had. That of a conversation which has none of that name any more is "".
func (c *Client) keyOf(room string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rooms.shown(room); r != nil {
		return r.key
	}
	if strings.HasPrefix(room, chat.DirectMark) {
		return ""
	}
	return room
}

// maxUnfiled is how many answers are noted down together at most.
const maxUnfiled = 16

// fileAnswers notes down which sends are answered, if that many are. One that is not noted is asked for again by the next client, which does
// no harm as long as the node remembers its outcome: so those that are not noted count as flying.
func (c *Client) fileAnswers(atLeast int) {
	if c.cfg.State == nil {
		return
	}
	c.filing.Lock()
	defer c.filing.Unlock()
	c.mu.Lock()
	list := c.unfiled
	c.mu.Unlock()
	if len(list) < atLeast {
		return
	}
	c.complain(c.cfg.State.answered(list...))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unfiled = nil // nothing was added: the chat reader does that, and this
	c.poke()
}

// complain logs, once, that something was not written down without which the client can go on.
func (c *Client) complain(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.forgets {
		c.forgets = true
		c.log.Error("what was shown and answered can't be noted down; after a crash some of it may come again", "err", err)
	}
}
