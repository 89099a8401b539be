package lines

import (
	"fmt"
	"sync/atomic"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

// sink says what happens, in its own manner.
type sink interface {
	// event tells what the client reports. It is called by Run's goroutine alone.
	event(e client.Event)
	// rest tells what is only known once no more late messages come.
	rest()
	// kept tells of a message of one's own that no Message will come for.
	kept(a client.Ack)
	// left tells that the client still has n messages of an earlier process to send.
	left(n int)
	// answer tells what a command asked for, and reject why a line can't be done.
	answer(from source, a command.Answer)
	reject(from source, why talk.Fault)
	// end tells why Run returns an error.
	end(err error)
}

// human prints lines for a person. A message begins with its time, everything else with two dashes, and whatever came from somebody
// else stands behind that on the same line.
type human struct {
	// Static after construction.
	out      *output
	zone     *time.Location
	self     identity.ID
	numbered bool // errors tell the line of the input
	screen   func() (wide, high int)
	ignores  func(identity.ID) bool
	hidden   atomic.Int64 // messages that were not printed, as the user ignores who wrote them

	// Owned by Run's goroutine.
	rooms   *rooms
	heard   *heard
	day     string // of the last message printed
	name    string // the user's
	up      bool
	ever    bool            // there has been a link
	said    string          // the last reason told for having none
	lastNew client.Renamed  // without its room
	shown   map[string]bool // rooms whose opening has been told; false: and not yet who is there
	late    late            // messages from other nodes that were printed last
}

// late are messages of one room that came late, one behind the other.
type late struct {
	room string
	run  *talk.Late // nil: none
}

func newHuman(cfg *Config, out *output, rooms *rooms, heard *heard) *human {
	return &human{out: out, zone: cfg.Zone, self: cfg.ID, numbered: !cfg.Terminal, screen: cfg.Screen, ignores: func(id identity.ID) bool { return talk.Ignores(cfg.Client, id) }, rooms: rooms, heard: heard, day: time.Now().In(cfg.Zone).Format(time.DateOnly), shown: map[string]bool{}}
}

// print writes to where what was asked for goes, and tell to where all else goes. Whatever the text holds, it stays one line.
func (h *human) print(text string) { h.out.print([]byte(chat.OneLine(text) + "\n")) }
func (h *human) tell(format string, args ...any) {
	h.out.tell([]byte("-- " + chat.OneLine(fmt.Sprintf(format, args...)) + "\n"))
}

func (h *human) sentence(e client.Event) { h.tell("%s", talk.Sentence(e)) }

func (h *human) event(e client.Event) {
	switch e := e.(type) {
	case client.Message:
		h.message(e)
	case client.Refused:
		h.refused(e)
	case client.LinkUp:
		h.linkUp(e)
	case client.LinkDown:
		h.linkDown(e)
	case client.Opened:
		h.opened(e)
	case client.Left:
		h.leftRoom(e)
	case client.ClosedRoom:
		delete(h.shown, e.Room)
		h.sentence(e)
	case client.Gap, client.Reset, client.KeyChanged, client.WentOn:
		h.tell("%s --", talk.Sentence(e))
	case client.Joined:
		h.presence(e, e.ID)
	case client.Gone:
		h.presence(e, e.ID)
	case client.Denied, client.Notice:
		h.sentence(e)
	case client.Renamed:
		h.renamed(e)
	case client.Present:
		h.present(e)
	case client.Named:
		h.named(e)
	}
}

// presence tells of somebody, unless the user ignores them.
func (h *human) presence(e client.Event, who identity.ID) {
	if !h.ignores(who) {
		h.sentence(e)
	}
}

func (h *human) message(m client.Message) {
	if m.Ignored {
		h.hidden.Add(1)
		return
	}
	if h.late.run != nil && (m.At.IsZero() || m.Room != h.late.room) {
		h.rest()
	}
	at := talk.When(&m).In(h.zone)
	if !m.At.IsZero() {
		if h.late.run == nil {
			h.late = late{m.Room, new(talk.Late)}
		}
		h.late.run.Add(at)
	}
	if day := at.Format(time.DateOnly); day != h.day {
		h.day = day
		h.print("-- " + at.Format("Monday, 2 January 2006"))
	}
	line := at.Format("15:04 ")
	if h.rooms.ambiguous(m.Room) {
		line += command.Label(m.Room) + " "
	}
	if m.Kind == chat.Act {
		h.print(line + command.ToldAct(m.Name, m.Text, m.Whom))
		return
	}
	if m.Re.IsZero() {
		line += command.Told(m.Name, m.Kind, m.Text)
	} else {
		line += command.ToldAnswer(m.Name, m.Kind, m.Text, h.heard.quote(m.Re))
	}
	if m.Open() {
		line += command.Unsealed
	}
	h.print(line)
}

// rest tells how much of what was printed last came late, and from when it is.
func (h *human) rest() {
	if h.late.run == nil {
		return
	}
	where := ""
	if h.rooms.ambiguous(h.late.room) {
		where = command.Label(h.late.room) + ": "
	}
	h.tell("%s%s --", where, h.late.run.Text(func(t time.Time) string { return t.In(h.zone).Format("15:04") }))
	h.late = late{}
}

func (h *human) kept(a client.Ack) {
	h.message(client.Message{Room: a.Room, Name: a.Name, Kind: a.Kind, Time: a.Time, Text: chat.CleanText(a.Kind, a.Text), Sealed: a.Sealed})
}

func (h *human) refused(e client.Refused) {
	if !h.numbered || e.Ref == "" { // none of this input's
		h.sentence(e)
		return
	}
	h.reject(parseSource(e.Ref), talk.Fault{Text: talk.RefusedText(e)})
}

func (h *human) linkUp(e client.LinkUp) {
	if !e.Moved || !h.ever { // the WentOn that follows tells of both
		h.tell("%s", talk.UpText(e, h.ever, h.name))
	}
	h.name, h.up, h.ever, h.said = e.Name, true, true, ""
}

// linkDown tells of a link that was lost, and of an attempt that failed where it failed in another way than the one before.
func (h *human) linkDown(e client.LinkDown) {
	what, reason := "link lost", talk.DownReason(e)
	if !h.ever {
		what = "no link yet"
	}
	if !h.up && reason == h.said {
		return
	}
	h.up, h.said = false, reason
	again := "now"
	if e.RetryIn > 0 {
		again = "in " + talk.Seconds(e.RetryIn)
	}
	h.tell("%s: %s; trying again %s", what, reason, again)
}

func (h *human) opened(e client.Opened) {
	if _, known := h.shown[e.Room]; known || e.Direct {
		return
	}
	h.shown[e.Room] = false
	h.sentence(e)
	if text := talk.TermsText(e.Terms, time.Now(), func(t time.Time) string { return t.In(h.zone).Format("2006-01-02 15:04") }); text != "" {
		h.tell("%s: %s", command.Label(e.Room), text)
	}
	if e.Rules.Welcome != "" {
		h.tell("%s says: %s", command.Label(e.Room), e.Rules.Welcome)
	}
}

func (h *human) leftRoom(e client.Left) {
	delete(h.shown, e.Room)
	h.sentence(e)
}

// present tells who is in a room when that begins to be known, and not again on every new link.
func (h *human) present(e client.Present) {
	if h.shown[e.Room] {
		return
	}
	h.shown[e.Room] = true
	h.sentence(e)
}

// renamed tells a new name once, not once for each room. One's own is told by the answer to the command.
func (h *human) renamed(e client.Renamed) {
	e.Room = ""
	if e.ID != h.self && e != h.lastNew {
		h.presence(e, e.ID)
	}
	h.lastNew = e
}

func (h *human) named(e client.Named) {
	if e.Code == chat.OK {
		h.name = e.Name
	}
	h.sentence(e)
}

func (h *human) left(n int) {
	h.tell("%s", talk.LeftText(n))
}

func (h *human) answer(_ source, a command.Answer) {
	if a, ok := a.(command.InviteAnswer); ok {
		h.invitation(a)
		return
	}
	for _, line := range a.Lines(h.zone) {
		h.print("-- " + line)
	}
	if n := h.hidden.Load(); n > 0 {
		if _, ok := a.(command.IgnoredAnswer); ok {
			h.print("--   not printed until now: " + command.LeftOut(int(n)))
		}
	}
}

func (h *human) reject(from source, why talk.Fault) {
	switch {
	case h.numbered && from.Line > 0:
		h.tell("line %d: %s", from.Line, why.Text)
	case h.numbered:
		h.tell("the input: %s", why.Text)
	default:
		h.tell("%s", why.Text)
	}
}

// end says nothing: the program does, for every error alike.
func (h *human) end(error) {}
