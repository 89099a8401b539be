package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/talk"
	"chatnode/internal/wire"
)

// event takes in one thing that the client reports.
func (m *model) event(e client.Event) tea.Cmd {
	switch e := e.(type) {
	case client.Message:
		return m.message(&e)
	case client.Redacted:
		m.redacted(&e)
	case client.Ack:
		m.acked(e)
	case client.Refused:
		m.refused(e)
	case client.LinkUp:
		return m.linkUp(e)
	case client.LinkDown:
		m.linkDown(e)
	case client.Opened:
		return m.opened(e)
	case client.Left:
		m.left(e.Room, e.Code)
	case client.ClosedRoom:
		m.closed(e.Room, e.Code, "the node has closed %s: %s")
	case client.Denied:
		m.closed(e.Room, e.Code, "%s is not open to you: %s")
	case client.Gap:
		b := m.open(e.Room)
		b.strand()
		b.mark(talk.GapText(e), m.cfg.Now())
		b.last = e.To
	case client.Reset:
		m.reset(e)
	case client.WentOn:
		m.status.note(talk.WentOnText(e), m.cfg.Now())
		m.say(talk.WentOnText(e))
	case client.Standing:
		m.standing(e)
	case client.Named:
		m.named(e)
	case client.KeyChanged:
		m.status.note(talk.ChangedText(e), m.cfg.Now())
		m.open(chat.DirectMark+e.Name).note(talk.ChangedText(e), m.cfg.Now())
	case client.Notice:
		m.status.note("the node says: "+e.Text, m.cfg.Now())
		m.say("the node says: " + e.Text)
	default:
		m.presence(e)
	}
	return nil
}

// presence takes in who comes and goes.
func (m *model) presence(e client.Event) {
	switch e := e.(type) {
	case client.Present:
		m.people(e.Room).are(e.People, e.Count)
	case client.Joined:
		m.people(e.Room).join(client.Person{ID: e.ID, Name: e.Name, Away: e.Away})
	case client.Gone:
		m.people(e.Room).leave(e.ID)
	case client.Renamed:
		m.people(e.Room).rename(e.ID, e.New)
	case client.Stirred:
		m.people(e.Room).stir(e.ID, e.Away)
	}
}

// people returns who is in a room; of one that has no buffer any more nobody asks again.
func (m *model) people(room string) *people {
	if b := m.find(room); b != nil {
		return &b.people
	}
	return &people{}
}

// names are those by which others speak of the user.
func (m *model) names() []string { return []string{m.name} }

// message takes in a row of a room's log.
func (m *model) message(e *client.Message) tea.Cmd {
	b := m.open(e.Room)
	if b.hidden && !e.Ignored {
		m.unhide(b)
	}
	r := rowOf(e, m.names())
	b.quote(&r, nil)
	stays := b.stays(e.ID)
	if e.Own && b.kind == bufDirect {
		m.recognize(b, e.ID)
	}
	if b.last, b.epoch = e.Seq, e.Epoch; b.low == 0 {
		b.low = e.Seq
	}
	b.settle()
	if !stays {
		m.late(b, e)
		b.add(r)
	}
	if e.Kind == chat.Topic {
		b.topic = e.Text
	}
	if e.Seq <= b.read {
		m.client.Read(b.name, e.Seq) // of what was said before the first visit
	}
	if r.own || r.hidden || stays {
		return nil
	}
	return m.unread(b, &r)
}

// settle takes the rows of waiting messages away that stand in the log now.
func (b *buffer) settle() {
	for i := len(b.waiting) - 1; i >= 0; i-- {
		if seq := b.waiting[i].seq; seq > 0 && seq <= b.last {
			b.dropWaiting(i)
		}
	}
}

// strand has messages that are kept, and will not come with the log any more, stand where they are: it goes on behind them, or is another.
func (b *buffer) strand() {
	for i := 0; i < len(b.waiting); i++ {
		if w := b.waiting[i]; w.seq > 0 {
			r := *b.row(i)
			r.seq, r.id = w.seq, w.id
			b.dropWaiting(i)
			b.add(r)
			i--
		}
	}
}

// row returns the row of a waiting message.
func (b *buffer) row(i int) *row { return b.pane.At(b.pane.End() - len(b.waiting) + i) }

// dropWaiting takes a waiting message and its row away.
func (b *buffer) dropWaiting(i int) {
	b.pane.Remove(b.pane.End() - len(b.waiting) + i)
	b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
}

// sent returns the buffer in which a message waits, and its place there.
func (m *model) sent(n uint64) (*buffer, int) {
	for _, b := range m.buffers {
		for i, w := range b.waiting {
			if w.n == n {
				return b, i
			}
		}
	}
	return nil, 0
}

// acked takes in that a message is kept. It stands in the log with the next events, or stands there already.
func (m *model) acked(e client.Ack) {
	b, i := m.sent(e.N)
	switch {
	case b == nil && e.Kind != chat.Skip && m.find(e.Room) == nil:
		m.shown.note("said in "+command.Label(e.Room)+": "+chat.OneLine(e.Text), m.cfg.Now())
	case b == nil:
	case b.last >= e.Seq || e.Shown || !b.joined && b.kind == bufRoom:
		b.dropWaiting(i)
	default:
		b.waiting[i].seq, b.waiting[i].id = e.Seq, e.ID
		b.row(i).state = stateKept
		b.pane.Changed(b.pane.End() - len(b.waiting) + i)
		m.isElsewhere(b, e.ID)
	}
}

// refused takes in that a message will never be kept: it stays on the screen, with the reason, and can be sent again.
func (m *model) refused(e client.Refused) {
	text := talk.RefusedText(e)
	b, i := m.sent(e.N)
	if b == nil {
		m.shown.note(talk.Sentence(e), m.cfg.Now())
		m.say(talk.Sentence(e))
		return
	}
	r := *b.row(i)
	b.dropWaiting(i)
	r.state, r.why, r.n = stateRefused, text, e.N
	b.refused = append(b.refused, refused{n: e.N, draft: client.Draft{Room: b.name, Kind: r.say, Text: e.Text, Re: r.re}})
	b.add(r)
	m.say(fmt.Sprintf("not sent to %s: %s; /resend tries it again", b.label(), text))
}

// opened takes in that a room is open, for the first time or again.
func (m *model) opened(e client.Opened) tea.Cmd {
	state, _ := m.client.Room(e.Room)
	b := m.meet(e, state)
	again := b.joined
	b.joined, b.closed, b.topic, b.terms = true, chat.OK, e.Topic, e.Terms
	goesOn := e.Status == wire.StatusOK || e.Status == wire.StatusMoved
	if e.Status == wire.StatusMoved && again {
		b.move(e, state.Read)
	}
	if goesOn {
		b.openedAt(e)
	}
	missed := int64(e.Head) - int64(e.From) + 1
	for _, seen := range e.Seen {
		missed -= int64(seen[1] - seen[0] + 1)
	}
	if again && missed > 0 && goesOn && !m.link.lostAt.IsZero() {
		b.mark(fmt.Sprintf("%s while there was no link, %s–%s", talk.Count(uint64(missed), "message", "messages"),
			m.clock(m.link.lostAt), m.clock(m.cfg.Now())), m.cfg.Now())
	}
	m.watch()
	if again {
		return nil
	}
	if e.Rules.Welcome != "" {
		b.note(b.label()+" says: "+e.Rules.Welcome, m.cfg.Now())
	}
	return m.restore(b, state, e)
}

// standing takes in what goes for the user in a room from now on. What was done stands in the room's log; that the user can't write is told besides.
func (m *model) standing(e client.Standing) {
	b := m.find(e.Room)
	if b == nil {
		return
	}
	before, now := b.terms, m.cfg.Now()
	b.terms = e.Terms
	if muted := talk.IsMuted(b.terms, now); muted != talk.IsMuted(before, now) {
		if muted {
			m.say("in " + b.label() + " you are muted: what you send there is refused")
		} else {
			m.say("in " + b.label() + " you can write again")
		}
	}
}

// meet returns the buffer of a room that has opened.
func (m *model) meet(e client.Opened, state client.RoomState) *buffer {
	if !e.Direct {
		return m.open(e.Room)
	}
	b := m.conversation(e.Room, state.Peer.ID)
	if e.Head == 0 && len(b.waiting) == 0 && b != m.shown || hasNote(state.Note, noteClosed) || m.ignores(state.Peer) && b != m.shown {
		m.hide(b)
	}
	return b
}

// openedAt takes over where a room's log begins for this client: what is older has to be fetched.
func (b *buffer) openedAt(e client.Opened) {
	if b.last == 0 {
		b.last, b.epoch = e.From-1, e.Cursor.Epoch
	}
	if b.low == 0 {
		b.low = e.From
	}
	if b.low <= 1 {
		b.fromStart = true
	}
}

// restore takes over what was remembered of a room. What has come since the user last read it is unread, however much of it is on the screen.
func (m *model) restore(b *buffer, state client.RoomState, e client.Opened) tea.Cmd {
	b.ring = ringOf(state.Note)
	if b.read = state.Read; b.read == 0 && !e.Direct {
		b.read = e.Head // what was said before the first visit is not news, and will not be at the next start
		m.client.Read(b.name, min(e.Head, e.From-1))
	}
	if m.ignores(state.Peer) {
		return nil // nothing of it is missed
	}
	old := 0
	if e.From > b.read+1 { // shown last time, and not read
		old = int(min(e.From-1-b.read, 1<<30))
	}
	b.unread += old
	if missed := old + int(min(max(e.Head, e.From-1)-(e.From-1), 1<<30)); state.Read > 0 && missed > 0 {
		m.missed(missed)
	}
	b.style.newAt = 0
	if b == m.shown {
		b.come()
	}
	if old == 0 || b.fetching {
		return nil
	}
	b.fetching = true // so that those that mention the user are counted
	return m.ask(page{b: b, epoch: b.epoch, low: b.low}, client.HistoryQuery{Before: b.low, N: min(old, chat.MaxTail)})
}

// missed tells what came while the user was away, with all that was told already.
func (m *model) missed(n int) {
	m.away.messages += n
	m.away.rooms++
	m.say(fmt.Sprintf("while you were away: %s in %s; Alt-A goes there, /mentions shows those with your name",
		talk.Count(uint64(m.away.messages), "message", "messages"), talk.Count(uint64(m.away.rooms), "room", "rooms")))
}

// clock is a time of day.
func (m *model) clock(t time.Time) string { return t.In(m.cfg.Zone).Format("15:04") }

// left takes in that the user is out of a room.
func (m *model) left(room string, why chat.Code) {
	b := m.find(room)
	if b == nil {
		return
	}
	if why != chat.OK {
		m.status.note(command.Label(room)+": "+why.Sentence(), m.cfg.Now())
	}
	if len(b.waiting) == 0 {
		m.close(b)
		return
	}
	b.joined = false
}

// closed takes in that a room is not open any more, or will not be. Its buffer stays: what is in it was said. A room that the user did not ask for
// gets none.
func (m *model) closed(room string, why chat.Code, format string) {
	text := fmt.Sprintf(format, command.Label(room), why.Sentence())
	b := m.find(room)
	if b != nil {
		b.joined, b.closed = false, why
		b.note(text, m.cfg.Now())
	}
	if b != m.shown {
		m.status.note(text, m.cfg.Now())
	}
	m.say(text)
}

// reset takes in that the log of a room, or of all, is another one. What was shown stays above the mark; it can't be gone on with upwards.
func (m *model) reset(e client.Reset) {
	for _, b := range m.buffers {
		if !b.talks() || e.Room != "" && b.name != e.Room {
			continue
		}
		b.pick(none) // of a past, which is of the old log
		b.strand()
		b.mark(talk.ResetText(e), m.cfg.Now())
		b.past, b.last, b.low, b.read, b.fromStart, b.fetching = nil, 0, 0, 0, true, false
		b.headed, b.stayed = none, nil
		b.disown()
		b.style.newAt = 0
	}
	if e.Room == "" {
		m.status.note(talk.ResetText(e), m.cfg.Now())
	}
	m.say(talk.ResetText(e))
}

// named takes in what became of a wish for another name.
func (m *model) named(e client.Named) {
	if e.Code == chat.OK {
		m.rename(e.Name)
	}
	m.shown.note(talk.NamedText(e), m.cfg.Now())
}

// rename has the user go by another name.
func (m *model) rename(name string) {
	m.name = name
	for _, b := range m.buffers {
		b.style.names = m.names()
	}
}

// people is who is in a room, in the order of their names. Of a large room only the count is known.
type people struct {
	list  []client.Person
	count int
}

func (p *people) are(list []client.Person, count int) { p.list, p.count = list, count }

func (p *people) leave(id [32]byte) {
	for i := range p.list {
		if p.list[i].ID == id {
			p.list = append(p.list[:i:i], p.list[i+1:]...)
			break
		}
	}
	p.count = max(p.count-1, len(p.list))
}

// join puts somebody where their name belongs.
func (p *people) join(who client.Person) {
	at := 0
	for at < len(p.list) && chat.Fold(p.list[at].Name) <= chat.Fold(who.Name) {
		at++
	}
	p.list = append(p.list[:at:at], append([]client.Person{who}, p.list[at:]...)...)
	p.count = max(p.count+1, len(p.list))
}

func (p *people) rename(id [32]byte, name string) {
	for _, who := range p.list {
		if who.ID == id {
			count := p.count
			p.leave(id)
			who.Name = name
			p.join(who)
			p.count = count
			return
		}
	}
}

// stir notes that somebody is away, or back.
func (p *people) stir(id [32]byte, away bool) {
	for i := range p.list {
		if p.list[i].ID == id {
			p.list[i].Away = away
		}
	}
}

// isDirect reports whether a room is a conversation with one person.
func isDirect(room string) bool { return strings.HasPrefix(room, chat.DirectMark) }
