package talk

import (
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
)

// Sentence returns what an event means for a person, without a full stop, or nothing for one that speaks for itself. What others wrote stands in it
// as it came: the sink cleans it (chat.OneLine). Names have a name's form (chat.Shown), so that none can pass for words of the program's.
func Sentence(e client.Event) string {
	switch e := e.(type) {
	case client.Refused:
		if e.Kind == chat.Act {
			return fmt.Sprintf("not done in %s: %s", command.Label(e.Room), RefusedText(e))
		}
		return fmt.Sprintf("not sent to %s: %s: %s", command.Label(e.Room), RefusedText(e), e.Text)
	case client.KeyChanged:
		return ChangedText(e)
	case client.LinkDown:
		return DownReason(e)
	case client.Opened:
		return openedText(e)
	case client.Left:
		return leftText(e)
	case client.ClosedRoom:
		return fmt.Sprintf("the node has closed %s: %s", command.Label(e.Room), e.Code.Sentence())
	case client.Denied:
		return fmt.Sprintf("%s is not open to you: %s", command.Label(e.Room), e.Code.Sentence())
	case client.Gap:
		return GapText(e)
	case client.Reset:
		return ResetText(e)
	case client.WentOn:
		return WentOnText(e)
	case client.Joined:
		return joinedText(e)
	case client.Gone:
		return fmt.Sprintf("%s has left %s", chat.Shown(e.Name), command.Label(e.Room))
	case client.Renamed:
		return fmt.Sprintf("%s is now %s", chat.Shown(e.Old), chat.Shown(e.New))
	case client.Stirred:
		return stirredText(e)
	case client.Present:
		return presentText(e)
	case client.Named:
		return NamedText(e)
	case client.Notice:
		return "the node says: " + e.Text
	}
	return ""
}

// UpText tells that there is a link. ever says that there has been one before, and name which name the user had on it.
func UpText(e client.LinkUp, ever bool, name string) string {
	switch {
	case e.Resumed && ever && e.Name == name:
		return "back"
	case e.Resumed && ever:
		return "back as " + chat.Shown(e.Name)
	}
	return fmt.Sprintf("connected to %s as %s", e.Title, chat.Shown(e.Name))
}

// LeftText tells that n messages of an earlier process have not been answered.
func LeftText(n int) string {
	return Count(uint64(n), "message", "messages") + " from last time, not known to be kept: sent now"
}

// DownReason tells why there is no link.
func DownReason(e client.LinkDown) string {
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

// RefusedText tells why a message will not be kept, without the message.
func RefusedText(e client.Refused) string {
	text := e.Code.Sentence()
	if e.RetryAfter > 0 {
		text += "; it may be taken in " + Seconds(e.RetryAfter)
	}
	return text
}

// ChangedText tells that a name is another key's now, and how to say that this one is meant.
func ChangedText(e client.KeyChanged) string {
	return fmt.Sprintf("%s is another key now, %s, and was %s when you first wrote to them; ask them by another way which is theirs. To go on with the new one: /msg %s TEXT",
		chat.Shown(e.Name), e.Now.Grouped(), e.Was.Grouped(), e.Now)
}

// NamedText tells which name the user has now, and why it is not the one that was asked for.
func NamedText(e client.Named) string {
	switch {
	case e.Code == chat.OK:
		return "you are now " + chat.Shown(e.Name)
	case e.Suggest != "":
		return fmt.Sprintf("you are still %s: %s; %s is free", chat.Shown(e.Name), e.Code.Sentence(), chat.Shown(e.Suggest))
	}
	return fmt.Sprintf("you are still %s: %s", chat.Shown(e.Name), Again(e.Code.Sentence(), e.RetryAfter))
}

// GapText tells how much of a room can't be had any more.
func GapText(e client.Gap) string {
	n := e.To - e.From + 1
	if n == 1 {
		return "1 older message in " + command.Label(e.Room) + " is not kept any more"
	}
	return fmt.Sprintf("%d older messages in %s are not kept any more", n, command.Label(e.Room))
}

var resetTexts = map[string]string{
	"epoch":        "the node has begun a new log",
	"ahead":        "the node's log ends before what was shown here",
	"hash":         "the node's log differs from what was shown here",
	client.WhyAcks: "the node has forgotten messages that it had acknowledged",
}

// ResetText tells in plain words what a reset means for what is on the screen.
func ResetText(e client.Reset) string {
	where, why := "all rooms begin anew", resetTexts[e.Why]
	if e.Room != "" {
		where = command.Label(e.Room) + " begins anew"
	}
	if why == "" {
		why = e.Why
	}
	return fmt.Sprintf("%s: %s; messages above may be missing from it, or come again below", where, why)
}

func openedText(e client.Opened) string {
	text := "you are in " + command.Label(e.Room)
	if e.Topic != "" {
		text += ": " + e.Topic
	}
	return text
}

func leftText(e client.Left) string {
	if e.Code != chat.OK {
		return command.Label(e.Room) + ": " + e.Code.Sentence()
	}
	return "you have left " + command.Label(e.Room)
}

func joinedText(e client.Joined) string {
	text := fmt.Sprintf("%s has joined %s", chat.Shown(e.Name), command.Label(e.Room))
	if e.Away {
		text += " (away)"
	}
	return text
}

func stirredText(e client.Stirred) string {
	if e.Away {
		return chat.Shown(e.Name) + " is away"
	}
	return chat.Shown(e.Name) + " is back"
}

// presentText names the people of a room where they are few.
func presentText(e client.Present) string {
	const few = 12
	text := fmt.Sprintf("%s in %s", Count(uint64(e.Count), "person", "people"), command.Label(e.Room))
	if len(e.People) > 0 && len(e.People) <= few {
		text += ":"
		for _, p := range e.People {
			text += " " + chat.Shown(p.Name)
		}
	}
	return text
}

// Again says in a refusal's sentence when to try again, if that is known.
func Again(text string, after time.Duration) string {
	if after <= 0 {
		return text
	}
	return strings.TrimSuffix(text, "; try again later") + "; try again in " + Seconds(after)
}

// Seconds is a time as a sentence has it, rounded up: a promise of 2.1 s is kept by 3, and one of more than two minutes by whole ones.
func Seconds(d time.Duration) string {
	if d > 2*time.Minute {
		return chat.FormatDuration((d + time.Minute - 1).Truncate(time.Minute))
	}
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}

// Count tells how many there are: "1 person", "3 people".
func Count(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
