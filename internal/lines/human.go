package lines

import (
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// sink says what happens, in its own manner.
type sink interface {
	// event tells what the client reports. It is called by Run's goroutine alone.
	event(e client.Event)
	// kept tells of a message of one's own that no Message will come for.
	kept(a client.Ack)
	// left tells that the client still has n messages of an earlier process to send.
	left(n int)
	// answer tells what a command asked for, and reject why a line can't be done.
	answer(from source, a command.Answer)
	reject(from source, why fault)
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

	// Owned by Run's goroutine.
	rooms   *rooms
	day     string // of the last message printed
	name    string // the user's
	up      bool
	ever    bool            // there has been a link
	said    string          // the last reason told for having none
	lastNew client.Renamed  // without its room
	shown   map[string]bool // rooms whose opening has been told; false: and not yet who is there
}

func newHuman(cfg *Config, out *output, rooms *rooms) *human {
	return &human{out: out, zone: cfg.Zone, self: cfg.ID, numbered: !cfg.Terminal, screen: cfg.Screen, rooms: rooms, day: time.Now().In(cfg.Zone).Format(time.DateOnly), shown: map[string]bool{}}
}

// print writes to where what was asked for goes, and tell to where all else goes. Whatever the text holds, it stays one line.
func (h *human) print(text string) { h.out.print([]byte(chat.OneLine(text) + "\n")) }
func (h *human) tell(format string, args ...any) {
	h.out.tell([]byte("-- " + chat.OneLine(fmt.Sprintf(format, args...)) + "\n"))
}

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
		h.tell("the node has closed %s: %s", command.Label(e.Room), e.Code.Sentence())
	case client.Denied:
		h.tell("%s is not open to you: %s", command.Label(e.Room), e.Code.Sentence())
	case client.Gap:
		h.tell("%s --", gapText(e))
	case client.Reset:
		h.tell("%s --", resetText(e))
	case client.Joined:
		h.tell("%s has joined %s", chat.Shown(e.Name), command.Label(e.Room))
	case client.Gone:
		h.tell("%s has left %s", chat.Shown(e.Name), command.Label(e.Room))
	case client.Renamed:
		h.renamed(e)
	case client.Present:
		h.present(e)
	case client.Named:
		h.named(e)
	case client.Notice:
		h.tell("the node says: %s", e.Text)
	}
}

func (h *human) message(m client.Message) {
	at := m.Time.In(h.zone)
	if day := at.Format(time.DateOnly); day != h.day {
		h.day = day
		h.print("-- " + at.Format("Monday, 2 January 2006"))
	}
	line := at.Format("15:04 ")
	if h.rooms.ambiguous(m.Room) {
		line += command.Label(m.Room) + " "
	}
	h.print(line + command.Told(m.Name, m.Kind, m.Text))
}

func (h *human) kept(a client.Ack) {
	h.message(client.Message{Room: a.Room, Name: a.Name, Kind: a.Kind, Time: a.Time, Text: chat.CleanText(a.Kind, a.Text)})
}

func (h *human) refused(e client.Refused) {
	from := parseSource(e.Ref)
	text := e.Code.Sentence()
	if e.RetryAfter > 0 {
		text += "; it may be taken in " + seconds(e.RetryAfter)
	}
	if !h.numbered || e.Ref == "" { // none of this input's
		h.tell("not sent to %s: %s: %s", command.Label(e.Room), text, e.Text)
		return
	}
	h.reject(from, fault{text: text})
}

func (h *human) linkUp(e client.LinkUp) {
	switch {
	case e.Resumed && h.ever && e.Name == h.name:
		h.tell("back")
	case e.Resumed && h.ever:
		h.tell("back as %s", chat.Shown(e.Name))
	default:
		h.tell("connected to %s as %s", e.Title, chat.Shown(e.Name))
	}
	h.name, h.up, h.ever, h.said = e.Name, true, true, ""
}

// linkDown tells of a link that was lost, and of an attempt that failed where it failed in another way than the one before.
func (h *human) linkDown(e client.LinkDown) {
	what, reason := "link lost", downReason(e)
	if !h.ever {
		what = "no link yet"
	}
	if !h.up && reason == h.said {
		return
	}
	h.up, h.said = false, reason
	again := "now"
	if e.RetryIn > 0 {
		again = "in " + seconds(e.RetryIn)
	}
	h.tell("%s: %s; trying again %s", what, reason, again)
}

func downReason(e client.LinkDown) string {
	switch {
	case e.Code != chat.OK && e.Text != "":
		return e.Code.Sentence() + " (" + e.Text + ")"
	case e.Code != chat.OK:
		return e.Code.Sentence()
	case e.Err != nil:
		return strings.ReplaceAll(e.Err.Error(), "\n", "; ") // of several addresses, each has a line
	}
	return "the connection ended"
}

func (h *human) opened(e client.Opened) {
	if _, known := h.shown[e.Room]; known || e.Direct {
		return
	}
	h.shown[e.Room] = false
	if e.Topic != "" {
		h.tell("you are in %s: %s", command.Label(e.Room), e.Topic)
	} else {
		h.tell("you are in %s", command.Label(e.Room))
	}
}

func (h *human) leftRoom(e client.Left) {
	delete(h.shown, e.Room)
	if e.Code != chat.OK {
		h.tell("%s: %s", command.Label(e.Room), e.Code.Sentence())
	} else {
		h.tell("you have left %s", command.Label(e.Room))
	}
}

// present tells who is in a room when that begins to be known, and not again on every new link.
func (h *human) present(e client.Present) {
	if h.shown[e.Room] {
		return
	}
	h.shown[e.Room] = true
	const few = 12
	text := fmt.Sprintf("%s in %s", count(uint64(e.Count), "person", "people"), command.Label(e.Room))
	if len(e.People) > 0 && len(e.People) <= few {
		text += ":"
		for _, p := range e.People {
			text += " " + chat.Shown(p.Name)
		}
	}
	h.tell("%s", text)
}

// renamed tells a new name once, not once for each room. One's own is told by the answer to the command.
func (h *human) renamed(e client.Renamed) {
	e.Room = ""
	if e.ID != h.self && e != h.lastNew {
		h.tell("%s is now %s", chat.Shown(e.Old), chat.Shown(e.New))
	}
	h.lastNew = e
}

func (h *human) named(e client.Named) {
	switch {
	case e.Code == chat.OK:
		h.name = e.Name
		h.tell("you are now %s", chat.Shown(e.Name))
	case e.Suggest != "":
		h.tell("you are still %s: %s; %s is free", chat.Shown(e.Name), e.Code.Sentence(), chat.Shown(e.Suggest))
	default:
		h.tell("you are still %s: %s", chat.Shown(e.Name), again(e.Code.Sentence(), e.RetryAfter))
	}
}

func (h *human) left(n int) {
	h.tell("%s from last time, not known to be kept: sent now", count(uint64(n), "message", "messages"))
}

func (h *human) answer(_ source, a command.Answer) {
	if a, ok := a.(command.InviteAnswer); ok {
		h.invitation(a)
		return
	}
	for _, line := range a.Lines(h.zone) {
		h.print("-- " + line)
	}
}

func (h *human) reject(from source, why fault) {
	switch {
	case h.numbered && from.Line > 0:
		h.tell("line %d: %s", from.Line, why.text)
	case h.numbered:
		h.tell("the input: %s", why.text)
	default:
		h.tell("%s", why.text)
	}
}

// end says nothing: the program does, for every error alike.
func (h *human) end(error) {}

var resetTexts = map[string]string{
	"epoch":        "the node has begun a new log",
	"ahead":        "the node's log ends before what was shown here",
	"hash":         "the node's log differs from what was shown here",
	client.WhyAcks: "the node has forgotten messages that it had acknowledged",
}

// resetText tells in plain words what a reset means for what is on the screen.
func resetText(e client.Reset) string {
	where, why := "all rooms begin anew", resetTexts[e.Why]
	if e.Room != "" {
		where = command.Label(e.Room) + " begins anew"
	}
	if why == "" {
		why = e.Why
	}
	return fmt.Sprintf("%s: %s; messages above may be missing from it, or come again below", where, why)
}

// seconds rounds up: a promise of 2.1 s is kept by 3.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}

func count(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func gapText(e client.Gap) string {
	n := e.To - e.From + 1
	if n == 1 {
		return "1 older message in " + command.Label(e.Room) + " is not kept any more"
	}
	return fmt.Sprintf("%d older messages in %s are not kept any more", n, command.Label(e.Room))
}
