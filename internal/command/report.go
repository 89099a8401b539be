package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// maxReported is how many columns of a message are told to the node's admins.
const maxReported = 300

// Reported is a message that is told to the node's admins.
type Reported struct {
	Room string // as Env.Room returns it
	Seq  uint64
	ID   chat.ID
	Name string // of the author, as it was then
	Text string
}

// Line returns what the admins are told, with the words of whoever reports it: `#ops 42 0123456789abcdef by bob: "buy now" — spam`. It is one line, and
// what is quoted can't end the quotation.
func (r Reported) Line(words string) string {
	line := fmt.Sprintf(`%s %d %s by %s: "%s"`, Label(r.Room), r.Seq, r.ID, chat.Shown(r.Name), quoted(r.Text, maxReported))
	if words = strings.Join(strings.Fields(words), " "); words != "" {
		line += " — " + chat.OneLine(words)
	}
	return line
}

func runReport(ctx context.Context, env Env, words string) error {
	return inRoom(env, "", func(room string) error {
		return show(env)(ReportAnswer{Room: room}, env.Report(ctx, room, words))
	})
}

// ReportAnswer is that a message of a room was sent to the node's admins.
type ReportAnswer struct {
	Room string
}

// Lines returns that as a sentence, and says what it gives away.
func (a ReportAnswer) Lines(*time.Location) []string {
	lines := []string{"reported to the admins of this node"}
	if strings.HasPrefix(a.Room, chat.DirectMark) {
		lines = append(lines, "  they, and whoever runs it, can read that message of your conversation now")
	}
	return lines
}
