package tui

import (
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
	"chatnode/internal/scroll"
	"chatnode/internal/talk"
)

const (
	// maxRows and maxBytes are how many rows a buffer holds, and how much text in them; when it has more, the oldest eighth is let go and can be
	// fetched again. Those that are being read stay until there is twice as much.
	maxRows  = 1 << 18
	maxBytes = 64 << 20
	// quoted is how many columns of a message stand in the answer to it, lookBack how many rows are searched for it.
	quoted   = 60
	lookBack = 4000
)

// bufferKind says what a buffer shows.
type bufferKind uint8

const (
	bufStatus bufferKind = iota // what chatnode itself says
	bufRoom
	bufDirect // a conversation with one person
	bufFound  // the results of a search
)

// buffer is one thing that can be looked at: a room, a conversation, what was found, or the status.
type buffer struct {
	kind  bufferKind
	name  string // as the client calls the room; unique
	place string // where its draft is kept: a conversation's name may change
	style *rowStyle
	pane  *scroll.Pane[row] // of what comes, with what came before as far as it was fetched
	bytes int               // of the texts in pane, or a little more
	past  *past             // a part of the log far back that is looked at in place of pane; nil: none
	found *search           // of bufFound

	joined bool
	closed code // why there is nothing to come any more; chat.OK: there is, or will be
	topic  string
	terms  client.Terms // what goes for the user there
	peer   identity.ID  // in a conversation
	people people

	epoch     uint64 // of the log that last and low are of
	last      uint64 // seq of the newest row of the log; 0: none
	low       uint64 // seq of the oldest; 0: none
	fromStart bool   // there is nothing older, or nothing that could be shown above
	severed   bool   // what is at the top was shown by another node, and its place in this one's log is not known
	fetching  bool   // older rows have been asked for
	halted    bool   // nothing older is asked for until the user goes up: the screen was emptied, or the node could not tell

	read     uint64 // seq up to which the user has read
	unread   int
	mentions int
	hidden   bool // a conversation that was closed: it comes back with its next message
	ring     ring

	late   talk.Late // messages from other nodes, one behind the other, that came last
	headed int       // number of the row that says how many they are; none: there are none
	stayed []chat.ID // messages of the user's that were kept on a node which is gone, and stand where they were sent

	waiting []waiting // what the user has sent and is not in the log yet: the last rows of pane, in the same order
	refused []refused
	picked  int // number of the row that is selected; none: none
	folded  int // messages that no row of pane is of their own, as the user ignores who wrote them
}

// code is why something came to an end.
type code = chat.Code

// none is the number of no row.
const none = -1 << 62

// waiting is a message that was sent.
type waiting struct {
	n   uint64  // what Client.Send returned
	seq uint64  // once it is acknowledged
	id  chat.ID // with seq
}

// refused is a message that the node would not have.
type refused struct {
	n     uint64
	draft client.Draft
}

// label is what the buffer is called on the screen.
func (b *buffer) label() string {
	switch b.kind {
	case bufStatus:
		return "chatnode"
	case bufFound:
		return b.found.label()
	}
	return command.Label(b.name)
}

// talks reports whether there can be talk in the buffer.
func (b *buffer) talks() bool { return b.kind == bufRoom || b.kind == bufDirect }

// view is the pane that is looked at.
func (b *buffer) view() *scroll.Pane[row] {
	if b.past != nil {
		return b.past.pane
	}
	return b.pane
}

// redraw has everything drawn in another theme.
func (b *buffer) redraw(t *theme) {
	b.style.theme = t
	b.pane.Redraw()
	if b.past != nil {
		b.past.pane.Redraw()
	}
}

// add puts rows behind all others but those of messages that are not in the log yet. One that has no place in the log stands at the last that has.
func (b *buffer) add(rows ...row) {
	for i := range rows {
		if rows[i].seq == 0 {
			rows[i].seq = b.last
		}
	}
	for i := range rows {
		b.bytes += rows[i].size()
	}
	tail := b.takeTail()
	last := b.pane.End() - 1
	for len(rows) > 0 && rows[0].hidden && last >= b.pane.First() && b.pane.At(last).take(&rows[0]) {
		b.pane.Changed(last)
		b.folded++
		rows = rows[1:]
	}
	rows = fold(rows)
	b.folded += foldedIn(rows)
	b.pane.Append(rows...)
	b.pane.Append(tail...)
	if held := b.pane.End() - b.pane.First() + b.folded; held > maxRows || b.bytes > maxBytes {
		b.trim(held/8+1, held > 2*maxRows || b.bytes > 2*maxBytes)
	}
}

// takeTail takes the rows of waiting messages out of the pane.
func (b *buffer) takeTail() []row {
	tail := make([]row, 0, len(b.waiting))
	for i := b.pane.End() - len(b.waiting); i < b.pane.End(); i++ {
		tail = append(tail, *b.pane.At(i))
	}
	for range tail {
		b.pane.Remove(b.pane.End() - 1)
	}
	return tail
}

// trim lets the oldest rows go, of n messages at least, unless they are being read and need not go. Those that wait stay.
func (b *buffer) trim(n int, must bool) {
	first, rows := b.pane.First(), 0
	for most := b.pane.End() - first - len(b.waiting); n > 0 && rows < most; rows++ {
		n -= 1 + b.pane.At(first+rows).more()
	}
	if from, _ := b.pane.Visible(); from < first+rows && !must {
		return
	}
	b.pane.TrimTop(rows)
	b.recount()
	b.fromStart, b.low = false, b.last+1
	for i := b.pane.First(); i < b.pane.End(); i++ {
		if r := b.pane.At(i); r.id != (chat.ID{}) || r.folded != nil {
			b.low, b.severed = r.low(), r.astray
			b.fromStart = r.astray
			return
		}
	}
}

// note adds a line of the program's own.
func (b *buffer) note(text string, at time.Time) {
	b.add(row{kind: rowNote, text: text, at: at})
}

// mark adds a rule with a text in it.
func (b *buffer) mark(text string, at time.Time) {
	b.add(row{kind: rowMark, text: text, at: at})
}

// rowOf returns a message as a row. names are the reader's own: what was said under one of them is theirs, from whichever of their clients it came.
func rowOf(m *client.Message, names []string) row {
	own := m.Own || slices.Contains(names, m.Name)
	r := row{
		kind: rowSaid, seq: m.Seq, id: m.ID, from: m.From, name: m.Name, own: own, say: m.Kind, at: talk.When(m), text: m.Text, re: m.Re, hidden: m.Ignored,
		direct: isDirect(m.Room), open: m.Open(), mention: !own && m.Kind != chat.Topic && m.Kind != chat.Act && mentions(m.Text, names),
	}
	r.enact(m.Whom)
	return r
}

// mentions reports whether a text has one of the names in it.
func mentions(text string, names []string) bool {
	for _, name := range names {
		if chat.Mentions(text, name) {
			return true
		}
	}
	return false
}

// quote fills in what a row answers, if that is among the last rows before it.
func (b *buffer) quote(r *row, list []row) {
	if r.re == (chat.ID{}) {
		return
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].id == r.re && list[i].kind == rowSaid {
			r.quote = quoteOf(&list[i])
			return
		}
	}
	if i := b.find(r.re); i != none {
		r.quote = quoteOf(b.pane.At(i))
	}
}

// find returns the number of the row that has a message, if it is among the last few thousand of the pane; else none.
func (b *buffer) find(id chat.ID) int {
	for i := b.pane.End() - 1; i >= max(b.pane.First(), b.pane.End()-lookBack); i-- {
		if r := b.pane.At(i); r.kind == rowSaid && r.id == id {
			return i
		}
	}
	return none
}

// quoteOf is a message in a few words, and nothing where the user is not to see it.
func quoteOf(r *row) string {
	if r.hidden {
		return ""
	}
	if r.deed != "" {
		return chat.Truncate(chat.Shown(r.name)+r.deed+r.text, quoted)
	}
	return chat.Truncate(command.Told(r.name, r.say, strings.Join(strings.Fields(r.text), " ")), quoted)
}
