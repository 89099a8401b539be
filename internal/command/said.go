package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// maxQuote is how many columns of a message an answer to it quotes.
const maxQuote = 30

// Said is a message as a log has it.
type Said struct {
	Room   string
	To     string // the other's name, in a direct conversation
	Seq    uint64
	ID     chat.ID
	Epoch  uint64
	Author string // text of the author's key id, empty when the node did not tell it or nobody asked
	Name   string
	Kind   chat.Kind
	Time   time.Time
	Text   string
	Re     chat.ID
	Own    bool

	Removed bool // its text was taken away: Text is chat.RemovedText
	Forked  bool // its node has signed two histories: Text is chat.ForkedText
	// At is when it was written on another node, if it came from there late; else zero.
	At time.Time
	// Ignored says that the user ignores the author: a person is not shown it.
	Ignored bool
	// Whom is, of an act, what the person is called that it is done to; empty where that is not known.
	Whom string

	Sealed, Unreadable bool // see client.Message
}

// Unsealed stands behind what came to one person alone and could be read on its way.
const Unsealed = " (not sealed)"

// Unreadable stands in place of a sealed message that does not open.
const Unreadable = "unreadable message"

// Told returns a message as people read it, behind its time: "carol: hi", "* carol waves".
func Told(name string, kind chat.Kind, text string) string {
	if kind == chat.Act {
		return ToldAct(name, text, "")
	}
	return told(chat.Shown(name), kind, text)
}

// ToldAnswer is Told for a message that answers another: `carol (re bob "are you there"): yes`. quote is what Quote has returned for that one, or empty
// when it is not at hand. It stands before the colon, where nobody can write but the program.
func ToldAnswer(name string, kind chat.Kind, text, quote string) string {
	if quote == "" {
		quote = "an earlier message"
	}
	return told(chat.Shown(name)+" (re "+quote+")", kind, text)
}

func told(who string, kind chat.Kind, text string) string {
	switch {
	case kind == chat.Text:
		return who + ": " + text
	case kind == chat.Action:
		return "* " + who + " " + text
	case kind == chat.Topic && text == "":
		return "-- " + who + " took the topic away"
	case kind == chat.Topic:
		return "-- " + who + " set the topic: " + text
	case kind == chat.Sealed:
		return "-- " + who + ": " + Unreadable
	}
	return fmt.Sprintf("-- %s (%s): %s", who, kind, text)
}

// Quote returns the beginning of a message as an answer to it is told with: `bob "are you there"`. It is short, fit for one line, and has no
// quotation marks but its own.
func Quote(name, text string) string {
	return chat.Shown(name) + ` "` + quoted(text, maxQuote) + `"`
}

// quoted returns the beginning of a text, of so many columns, as it can stand between quotation marks on one line.
func quoted(text string, columns int) string {
	return strings.ReplaceAll(chat.Truncate(chat.OneLine(strings.Join(strings.Fields(text), " ")), columns), `"`, "'")
}

// saidLines returns one line for each message that the user is to see, with its day and number, and its room where that is asked for.
func saidLines(all []Said, zone *time.Location, rooms bool) []string {
	quotes := map[chat.ID]string{}
	for i := range all {
		if !all[i].Re.IsZero() {
			quotes[all[i].Re] = ""
		}
	}
	for i := range all {
		if _, answered := quotes[all[i].ID]; answered && !all[i].Ignored {
			quotes[all[i].ID] = Quote(all[i].Name, all[i].Text)
		}
	}
	lines, hidden := make([]string, 0, len(all)), 0
	for i := range all {
		s, room, text := &all[i], "", ""
		if s.Ignored {
			hidden++
			continue
		}
		if rooms {
			room = Label(s.Room) + " "
		}
		if s.Kind == chat.Act {
			text = ToldAct(s.Name, s.Text, s.Whom)
		} else if s.Re.IsZero() {
			text = Told(s.Name, s.Kind, s.Text)
		} else {
			text = ToldAnswer(s.Name, s.Kind, s.Text, quotes[s.Re])
		}
		at := s.Time
		if !s.At.IsZero() {
			at = s.At
		}
		lines = append(lines, fmt.Sprintf("  %s %s%d %s", at.In(zone).Format("2006-01-02 15:04"), room, s.Seq, text))
	}
	if hidden > 0 {
		lines = append(lines, "  and "+LeftOut(hidden))
	}
	return lines
}

// parseMentions reads [before N].
func parseMentions(text string) (before uint64, err error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return 0, nil
	}
	_, value, rest, err := cutPair(words, "before")
	switch {
	case err != nil:
		return 0, badUsage(byName[mentions], "%v", err)
	case value == "":
		return 0, badUsage(byName[mentions], "%s is too much", quote(words[0]))
	case len(rest) > 0:
		return 0, badUsage(byName[mentions], "%s is too much", quote(rest[0]))
	}
	if before, err = strconv.ParseUint(value, 10, 64); err != nil || before == 0 {
		return 0, badUsage(byName[mentions], "%s is not the number of a page", quote(value))
	}
	return before, nil
}

func runMentions(ctx context.Context, env Env, text string) error {
	before, err := parseMentions(text)
	if err != nil {
		return err
	}
	return show(env)(env.Mentions(ctx, before))
}

// MentionsAnswer is the messages with the user's name in them.
type MentionsAnswer struct {
	Name   string // that was looked for
	Hits   []Said // by others, the newest first
	Next   uint64 // for the next question's before; 0: that was all
	Behind uint64 // messages that can't be found yet
}

// Lines returns one line a message, and how to ask for more.
func (a MentionsAnswer) Lines(zone *time.Location) []string {
	found := "nobody has mentioned " + chat.Shown(a.Name)
	switch {
	case len(a.Hits) > 0:
		found = fmt.Sprintf("%s with %s, the newest first:", count(len(a.Hits), "message", "messages"), chat.Shown(a.Name))
	case a.Next > 0:
		found += " so far"
	}
	return foundLines(found, a.Hits, "/"+mentions, a.Next, a.Behind, zone)
}
