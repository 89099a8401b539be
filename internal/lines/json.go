package lines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

// stamp is RFC 3339 with milliseconds, for times in UTC: of fixed length, so that it sorts.
const stamp = "2006-01-02T15:04:05.000Z"

// objects prints JSON objects, one a line. Texts are cleaned as a node cleans them, and what is no text is fit for one line, so that
// nothing in them drives a terminal even behind a program that prints them as they are.
type objects struct {
	// Static after construction.
	out     *output
	self    identity.ID
	author  func(ctx context.Context, from uint64) (identity.ID, error)
	ignores func(identity.ID) bool

	// Owned by Run's goroutine.
	epoch string // of the node's store, by the last link
	mute  bool   // this link's node has not told an author in time, and is not asked again
}

func newObjects(cfg *Config, out *output) *objects {
	return &objects{out: out, self: cfg.ID, author: cfg.Client.Author, ignores: func(id identity.ID) bool { return talk.Ignores(cfg.Client, id) }}
}

func (o *objects) print(object any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		panic("an object that can't be JSON: " + err.Error())
	}
	o.out.print([]byte(escape(b.String()[:b.Len()-1]) + "\n"))
}

// escape writes what encoding/json leaves as it is and a terminal may not, such as a mark of the script's own, as JSON's \uXXXX.
func escape(line string) string {
	if chat.OneLine(line) == line {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if s := string(r); r < utf8.RuneSelf && r != 0x7f || chat.OneLine(s) == s {
			b.WriteString(s)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}

func (o *objects) event(e client.Event) {
	switch e := e.(type) {
	case client.Message:
		o.message(e)
	case client.Redacted:
		o.print(redactedObject{"redacted", chat.OneLine(e.Room), e.Seq, e.ID.String()})
	case client.Ack:
		o.print(ackObject{"ack", parseSource(e.Ref), chat.OneLine(e.Room), e.Seq, e.ID.String(), stampOf(e.Time)})
	case client.Refused:
		o.print(refusedObject{"refused", parseSource(e.Ref), chat.OneLine(e.Room), e.Code.String(), e.Code.Sentence(), e.RetryAfter.Milliseconds()})
	case client.KeyChanged:
		o.print(keyChangedObject{"key_changed", chat.OneLine(e.Name), e.Was.String(), e.Now.String(), chat.OneLine(talk.ChangedText(e))})
	case client.LinkUp:
		o.epoch, o.mute = epochOf(e.Epoch), false
		o.print(linkObject{Type: "link", State: "up", Name: chat.OneLine(e.Name), Title: chat.OneLine(e.Title), Node: e.Node.String(), Epoch: o.epoch, Resumed: e.Resumed, Moved: e.Moved})
	case client.WentOn:
		o.print(movedObject{"moved", chat.OneLine(e.From), chat.OneLine(e.To), e.Anew, chat.OneLine(talk.WentOnText(e))})
	case client.LinkDown:
		o.linkDown(e)
	case client.Opened:
		o.print(openedObject{"opened", chat.OneLine(e.Room), chat.OneLine(e.Topic), e.From, e.Head, e.Direct, termsOf(e.Terms)})
	case client.Standing:
		o.print(standingObject{"standing", chat.OneLine(e.Room), termsOf(e.Terms)})
	case client.Left:
		o.room("closed", e.Room, e.Code)
	case client.ClosedRoom:
		o.room("closed", e.Room, e.Code)
	case client.Denied:
		o.room("denied", e.Room, e.Code)
	case client.Gap:
		o.print(gapObject{"gap", chat.OneLine(e.Room), e.From, e.To})
	case client.Reset:
		o.print(resetObject{"reset", chat.OneLine(e.Room), chat.OneLine(e.Why), chat.OneLine(talk.ResetText(e))})
	case client.Joined:
		o.print(presenceObject{"joined", chat.OneLine(e.Room), chat.OneLine(e.Name), e.ID.String(), "", e.Away})
	case client.Gone:
		o.print(presenceObject{Type: "left", Room: chat.OneLine(e.Room), Name: chat.OneLine(e.Name), Author: e.ID.String()})
	case client.Renamed:
		o.print(presenceObject{"renamed", chat.OneLine(e.Room), chat.OneLine(e.New), e.ID.String(), chat.OneLine(e.Old), false})
	case client.Stirred:
		o.print(presenceObject{"stirred", chat.OneLine(e.Room), chat.OneLine(e.Name), e.ID.String(), "", e.Away})
	case client.Present:
		o.print(presentObject{"present", chat.OneLine(e.Room), e.Count, people(e.People, func(p client.Person) personObject { return personObject{p.Name, p.ID.String(), p.Away} })})
	case client.Named:
		o.print(namedObject{"named", chat.OneLine(e.Name), e.Code.String(), chat.OneLine(e.Suggest), e.RetryAfter.Milliseconds()})
	case client.Notice:
		o.print(noticeObject{"notice", e.Code.String(), chat.OneLine(e.Text)})
	}
}

func (o *objects) message(m client.Message) {
	object := messageObject{
		Type: "message", Room: chat.OneLine(m.Room), Seq: m.Seq, ID: m.ID.String(), Epoch: epochOf(m.Epoch), Cursor: m.Cursor.String(),
		Name: chat.OneLine(m.Name), Kind: m.Kind.String(), Time: stampOf(m.Time), Text: chat.CleanText(m.Kind, m.Text),
		To: chat.OneLine(m.To), Own: m.Own, Author: o.self.String(), Act: actOf(m.Kind, m.Text), Sealed: m.Sealed, Unreadable: m.Unreadable, Removed: m.Removed,
		At: stampOrNot(m.At), Forked: m.Forked,
	}
	if !m.Re.IsZero() {
		object.Re = m.Re.String()
	}
	if !m.Own {
		var id identity.ID
		object.Author, id = o.authorOf(m.From)
		object.Ignored = m.Kind != chat.Act && o.ignores(id)
	}
	o.print(object)
}

// authorOf returns the key id behind an origin's number and its text, or nothing when the node does not tell it in time: a message is not
// held back for ever for the sake of one field.
func (o *objects) authorOf(from uint64) (text string, id identity.ID) {
	if o.mute {
		return "", identity.ID{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), talk.AuthorWait)
	defer cancel()
	id, err := o.author(ctx, from)
	if err != nil {
		o.mute = errors.Is(err, context.DeadlineExceeded)
		return "", identity.ID{}
	}
	return id.String(), id
}

func (o *objects) kept(a client.Ack) {
	to, direct := strings.CutPrefix(a.Room, chat.DirectMark)
	if !direct {
		to = ""
	}
	o.print(messageObject{
		Type: "message", To: chat.OneLine(to), Room: chat.OneLine(a.Room), Seq: a.Seq, ID: a.ID.String(), Epoch: o.epoch, Name: chat.OneLine(a.Name),
		Author: o.self.String(), Kind: a.Kind.String(), Time: stampOf(a.Time), Text: chat.CleanText(a.Kind, a.Text), Own: true, Act: actOf(a.Kind, a.Text), Sealed: a.Sealed,
	})
}

func (o *objects) linkDown(e client.LinkDown) {
	retry := e.RetryIn.Milliseconds()
	object := linkObject{Type: "link", State: "down", Text: chat.OneLine(talk.DownReason(e)), RetryAfterMS: &retry}
	if e.Code != chat.OK {
		object.Code = e.Code.String()
	}
	o.print(object)
}

func (o *objects) room(kind, room string, code chat.Code) {
	o.print(roomObject{kind, chat.OneLine(room), code.String(), code.Sentence()})
}

func (o *objects) answer(from source, a command.Answer) {
	who := func(p command.Who) personObject { return personObject{p.Name, p.ID, p.Away} }
	switch a := a.(type) {
	case command.NamesAnswer:
		o.print(namesObject{"names", from, chat.OneLine(a.Room), a.Total, people(a.People, who)})
	case command.WhoisAnswer:
		o.print(whoisObject{
			"whois", from, chat.OneLine(a.Who.Name), a.Who.ID, a.Sessions, oneLines(a.Rooms), stampOrNot(a.Since), stampOrNot(a.AwaySince), chat.OneLine(a.AwayText),
			chat.OneLine(a.Via),
		})
	case command.AwayAnswer:
		o.print(awayObject{"away", from, a.Away, chat.OneLine(a.Text)})
	case command.ReportAnswer: // the ack of the report tells it, or its refusal
	case command.ListAnswer:
		rooms := make([]roomInfoObject, len(a.Rooms))
		for i, r := range a.Rooms {
			rooms[i] = roomInfoObject{chat.OneLine(r.Name), r.Members, r.Head, chat.OneLine(r.Topic)}
		}
		o.print(listObject{"list", from, rooms})
	case command.TopicAnswer:
		o.print(topicObject{"topic", from, chat.OneLine(a.Room), chat.OneLine(a.Topic)})
	case command.HistoryAnswer:
		before := uint64(0)
		if a.More && len(a.Said) > 0 {
			before = a.Said[0].Seq
		}
		o.print(historyObject{"history", from, chat.OneLine(a.Room), saidObjects(a.Said), before})
	case command.SearchAnswer:
		o.print(searchObject{"search", from, saidObjects(a.Hits), a.Next, a.Behind})
	case command.MentionsAnswer:
		o.print(searchObject{"mentions", from, saidObjects(a.Hits), a.Next, a.Behind})
	case command.KeepAnswer:
		o.print(keepObject{"keep", from, chat.OneLine(a.Room), a.Keep.Set, a.Keep.Age.Milliseconds(), a.Keep.Size})
	case command.InviteAnswer:
		o.print(inviteObject{"invite", from, a.Room, a.Link, a.Token, a.Uses, stampOf(a.Expires), a.Local, a.Node})
	case command.PeersAnswer:
		all := make([]peerObject, len(a.Peers))
		for i := range a.Peers {
			all[i] = peerOf(source{}, &a.Peers[i])
		}
		o.print(peersObject{"peers", from, chat.OneLine(a.Space), all})
	case command.StatsAnswer:
		o.print(statsOf(from, &a))
	case command.PeerAnswer:
		o.print(peerOf(from, &a.Peer))
	case command.CausalAnswer:
		o.print(causalObject{"causal", from, chat.OneLine(a.Room), saidObjects(a.Said), a.Total, a.Digest})
	case command.IgnoreAnswer:
		kind := "ignore"
		if !a.On {
			kind = "unignore"
		}
		o.print(ignoreObject{kind, from, chat.OneLine(a.Who.Name), a.Who.ID})
	case command.IgnoredAnswer:
		o.print(ignoredObject{"ignored", from, people(a.People, who)})
	case command.BannedAnswer:
		o.print(bannedObject{"banned", from, chat.OneLine(a.Room), banObjects(a.Bans)})
	case command.PinsAnswer:
		missing := make([]string, len(a.Missing))
		for i, id := range a.Missing {
			missing[i] = id.String()
		}
		o.print(pinsObject{"pins", from, chat.OneLine(a.Room), saidObjects(a.Pins), missing})
	case command.WelcomeAnswer:
		o.print(welcomeObject{"welcome", from, chat.OneLine(a.Room), chat.OneLine(a.Text)})
	case command.ReleaseAnswer:
		o.print(releaseObject{"release", from, chat.OneLine(a.Name), a.Owner.ID})
	case command.HelpAnswer:
		all := make([]commandObject, len(a.Commands))
		for i, c := range a.Commands {
			all[i] = commandObject{c.Name, append([]string{}, c.Aliases...), c.Usage(), c.Help, c.Rights == command.Admin, c.OnScreen(), c.Rights.String()}
		}
		o.print(helpObject{"help", from, all})
	default:
		panic(fmt.Sprintf("an answer without an object: %T", a))
	}
}

// rest says nothing: each late message says when it was written.
func (o *objects) rest() {}

// left says nothing: the acks and refusals without a source will.
func (o *objects) left(int) {}

func (o *objects) reject(from source, why talk.Fault) {
	o.print(errorObject{"error", from, why.Code, chat.OneLine(why.Text), why.Retry.Milliseconds()})
}

func (o *objects) end(err error) {
	why := talk.FaultOf(err)
	o.print(errorObject{Type: "error", Code: why.Code, Text: why.Text})
}

// saidObjects returns the messages of an answer; never nil, so that a list is always a list.
func saidObjects(all []command.Said) []messageObject {
	out := make([]messageObject, len(all))
	for i, m := range all {
		out[i] = messageObject{
			Type: "message", Room: chat.OneLine(m.Room), Seq: m.Seq, ID: m.ID.String(), Epoch: epochOf(m.Epoch), Name: chat.OneLine(m.Name), Author: m.Author,
			Kind: m.Kind.String(), Time: stampOf(m.Time), Text: chat.CleanText(m.Kind, m.Text), To: chat.OneLine(m.To), Own: m.Own, Ignored: m.Ignored, Act: actOf(m.Kind, m.Text),
			Sealed: m.Sealed, Unreadable: m.Unreadable, Removed: m.Removed, At: stampOrNot(m.At), Forked: m.Forked,
		}
		if !m.Re.IsZero() {
			out[i].Re = m.Re.String()
		}
	}
	return out
}

// actOf returns what a message says that is an act, of a verb that is known; nil: it is none.
func actOf(kind chat.Kind, body string) *actObject {
	if kind != chat.Act {
		return nil
	}
	act, err := chat.ParseAct(body)
	if err != nil {
		return nil
	}
	return &actObject{string(act.Verb), act.Who, act.For.Milliseconds(), act.Text}
}

func termsOf(t client.Terms) termsObject {
	o := termsObject{
		Role: t.Role.String(), Muted: t.Muted, Until: stampOrNot(t.Until), ReadOnly: t.Rules.ReadOnly, Archived: t.Rules.Archived, Private: t.Rules.Private,
		SlowMS: t.Rules.Slow.Milliseconds(), Welcome: chat.OneLine(t.Rules.Welcome),
	}
	for _, id := range t.Rules.Pins {
		o.Pins = append(o.Pins, id.String())
	}
	return o
}

// peerOf returns another node as an object.
func peerOf(from source, p *command.Peer) peerObject {
	return peerObject{
		"peer", from, p.ID, chat.OneLine(p.Title), chat.OneLine(p.Address), chat.OneLine(p.State), p.Admitted, p.RTT.Microseconds(), p.Behind, p.Ahead,
		stampOrNot(p.Seen), chat.OneLine(p.Note),
	}
}

func banObjects(bans []command.Ban) []banObject {
	out := make([]banObject, len(bans))
	for i, b := range bans {
		out[i] = banObject{chat.OneLine(b.Who.Name), b.Who.ID, chat.OneLine(b.By.Name), b.By.ID, stampOf(b.Since), stampOrNot(b.Until), chat.OneLine(b.Text)}
	}
	return out
}

// people returns persons of any type as objects; never nil, so that a list is always a list.
func people[P any](all []P, object func(P) personObject) []personObject {
	out := make([]personObject, len(all))
	for i, p := range all {
		out[i] = object(p)
		out[i].Name = chat.OneLine(out[i].Name)
	}
	return out
}

func oneLines(texts []string) []string {
	out := slices.Clone(texts)
	for i := range out {
		out[i] = chat.OneLine(out[i])
	}
	return append([]string{}, out...)
}

// stampOf returns a time as all objects carry it.
func stampOf(t time.Time) string { return t.UTC().Format(stamp) }

// stampOrNot returns a time that may not be known, which is left out then.
func stampOrNot(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stampOf(t)
}

// epochOf returns an epoch as cursors spell it: a number of 64 bits is more than many readers of JSON can hold.
func epochOf(epoch uint64) string { return fmt.Sprintf("%016x", epoch) }
