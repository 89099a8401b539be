package tui

import (
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/scroll"
)

// maxBuffers is how many buffers there are at most before those of rooms that the user is out of are let go, the oldest first: a node may open and
// close rooms for ever.
const maxBuffers = 2 * (chat.MaxRooms + chat.MaxDirect)

// add makes a buffer and gives it the next number.
func (m *model) add(kind bufferKind, name string) *buffer {
	if len(m.buffers) >= maxBuffers {
		i := slices.IndexFunc(m.buffers, func(b *buffer) bool { return b.closed != chat.OK && b != m.shown && len(b.waiting) == 0 })
		if i >= 0 {
			m.close(m.buffers[i])
		}
	}
	m.made++
	b := &buffer{kind: kind, name: name, place: strconv.Itoa(m.made), fromStart: kind == bufStatus, picked: none, headed: none}
	b.style = &rowStyle{theme: m.theme, zone: m.cfg.Zone, names: m.names()}
	b.pane = scroll.New(b.style.draw)
	m.buffers = append(m.buffers, b)
	return b
}

// find returns the buffer of a room, or nil. A person's name is the same in any case.
func (m *model) find(room string) *buffer {
	for _, b := range m.buffers {
		if b.talks() && (b.name == room || isDirect(room) && isDirect(b.name) && chat.Fold(b.name) == chat.Fold(room)) {
			return b
		}
	}
	return nil
}

// open returns the buffer of a room, which is made when there is none.
func (m *model) open(room string) *buffer {
	if b := m.find(room); b != nil {
		return b
	}
	if isDirect(room) {
		return m.add(bufDirect, room)
	}
	return m.add(bufRoom, room)
}

// visible returns the buffers that have a number, in that order.
func (m *model) visible() []*buffer {
	return slices.DeleteFunc(slices.Clone(m.buffers), func(b *buffer) bool { return b.hidden })
}

// show turns to a buffer.
func (m *model) show(b *buffer) {
	if b.hidden {
		m.unhide(b)
	}
	if b == m.shown {
		return
	}
	if m.shown != nil {
		m.before = m.shown
		m.shown.leave()
	}
	m.shown = b
	m.input.switchTo(b.place)
	b.come()
	m.watch()
}

// watch tells the client which rooms are on the screen: who is there is told of these.
func (m *model) watch() {
	var rooms []string
	for _, b := range []*buffer{m.shown, m.before} {
		if b != nil && b.kind == bufRoom && b.joined {
			rooms = append(rooms, b.name)
		}
	}
	m.client.Look(rooms)
}

// come has the rule that says what is new stand where the user has stopped reading.
func (b *buffer) come() {
	b.style.newAt = 0
	if b.unread > 0 {
		b.style.newAt = b.read
	}
	b.redrawn()
}

// leave is called when the user turns to another buffer. Of a list of results they find again the one that they had chosen.
func (b *buffer) leave() {
	if b.kind != bufFound {
		b.pick(none)
	}
	b.unmark()
}

// unmark takes the rule away that says what is new, where the user has seen all of it: what comes while they look elsewhere is new.
func (b *buffer) unmark() {
	if b.pane.AtEnd() && b.past == nil {
		b.style.newAt = 0
		b.redrawn()
	}
}

// redrawn has the rows drawn anew, as their neighbourhood has changed.
func (b *buffer) redrawn() {
	b.pane.Redraw()
	if b.past != nil {
		b.past.pane.Redraw()
	}
}

// unread counts a message that the user has not seen, and rings for it.
func (m *model) unread(b *buffer, r *row) tea.Cmd {
	if r.say == chat.Topic || r.say == chat.Act || r.seq <= b.read || m.isRead(b) {
		return nil
	}
	if b == m.shown && b.unread == 0 && b.style.newAt == 0 && b.read > 0 {
		b.style.newAt = b.read // they look elsewhere: when they come back, the rule says where they were
	}
	b.unread++
	if r.mention || r.direct {
		b.mentions++
	}
	return m.notify(b, r)
}

// isRead reports whether what comes into a buffer is read at once: it is on the screen, at its end, and the user is there.
func (m *model) isRead(b *buffer) bool {
	return b == m.shown && b.past == nil && b.pane.AtEnd() && m.person.here(m.cfg.Now())
}

// look notes what has been read. Nothing is noted while the user is elsewhere.
func (m *model) look() {
	b := m.shown
	if !b.talks() {
		b.unread = 0
		return
	}
	if !m.isRead(b) || b.last == 0 {
		return
	}
	b.unread, b.mentions = 0, 0
	if b.last > b.read {
		b.read = b.last
		m.client.Read(b.name, b.last)
	}
}

// hide takes a conversation off the list until something comes.
func (m *model) hide(b *buffer) {
	b.hidden = true
	if m.shown == b {
		m.back()
	}
}

func (m *model) unhide(b *buffer) {
	b.hidden = false
	m.prefer(b)
}

// close takes a buffer away for good.
func (m *model) close(b *buffer) {
	m.input.forget(b.place)
	m.buffers = slices.DeleteFunc(m.buffers, func(other *buffer) bool { return other == b })
	if m.before == b {
		m.before = nil
	}
	if m.shown == b {
		m.back()
	}
}

// back turns to the buffer that was shown before, or else to the last.
func (m *model) back() {
	to := m.before
	if to == nil || to.hidden || !slices.Contains(m.buffers, to) {
		all := m.visible()
		to = all[len(all)-1]
	}
	m.show(to)
}

// step turns to the buffer that is n further on the list, round its ends.
func (m *model) step(n int) {
	all := m.visible()
	at := slices.Index(all, m.shown)
	m.show(all[((at+n)%len(all)+len(all))%len(all)])
}

// number turns to the buffer with a number: rooms and conversations count from 1, the status is 0.
func (m *model) number(n int) bool {
	if all := m.visible(); n < len(all) {
		m.show(all[n])
		return true
	}
	return false
}

// activity turns to where something has come: mentions and conversations first, then what is unread, in the order of the list from here on; else to
// where the user was before.
func (m *model) activity() {
	all := m.visible()
	at := slices.Index(all, m.shown)
	for _, due := range []func(*buffer) bool{func(b *buffer) bool { return b.mentions > 0 }, func(b *buffer) bool { return b.unread > 0 }} {
		for i := range all {
			if b := all[(at+1+i)%len(all)]; b != m.shown && due(b) {
				m.show(b)
				return
			}
		}
	}
	if m.before != nil && !m.before.hidden {
		m.show(m.before)
	}
}

// due returns how much is unread in all: messages, and those of them that are for the user.
func (m *model) due() (unread, mentions int) {
	for _, b := range m.buffers {
		if !b.hidden && b.talks() {
			unread, mentions = unread+b.unread, mentions+b.mentions
		}
	}
	return unread, mentions
}

// People are those who may be meant here, most likely first: who spoke last, then who is in the room, then whom the user talks to elsewhere.
func (m *model) People() []string {
	var names []string
	seen := map[string]bool{chat.Fold(m.name): true}
	take := func(name string) {
		if folded := chat.Fold(name); name != "" && !seen[folded] {
			seen[folded] = true
			names = append(names, name)
		}
	}
	b := m.shown
	for i := b.pane.End() - 1; i >= max(b.pane.First(), b.pane.End()-recent); i-- {
		if r := b.pane.At(i); r.kind == rowSaid {
			take(r.name)
		}
	}
	for _, who := range b.people.list {
		take(who.Name)
	}
	for _, other := range m.buffers {
		if other.kind == bufDirect {
			take(other.name[len(chat.DirectMark):])
		}
	}
	for _, who := range m.client.Ignored() { // for /unignore
		take(who.Name)
	}
	return names
}

// recent is how many rows back somebody has spoken lately.
const recent = 500

// Rooms are those that may be meant: those that are open, and conversations as "@name".
func (m *model) Rooms() []string {
	var names []string
	for _, b := range m.buffers {
		if b.talks() {
			names = append(names, b.name)
		}
	}
	return names
}
