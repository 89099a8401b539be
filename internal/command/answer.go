package command

import (
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// Answer is what a command tells whoever typed it: one of the types below.
type Answer interface {
	// Lines returns the answer as lines for a person, times in zone. Texts and topics stand in it as they came: the
	// sink cleans them (chat.OneLine). Names have a name's form (chat.Shown).
	Lines(zone *time.Location) []string
}

// Who is a key and the name it goes by.
type Who struct {
	ID   string // text of the key id
	Name string
	Away bool
}

// NamesAnswer is who is in a room.
type NamesAnswer struct {
	Room   string
	People []Who // in the order in which the node lists them
	Total  int   // more than len(People) when not all were asked for
}

// WhoisAnswer is what is known about a person.
type WhoisAnswer struct {
	Who      Who
	Sessions int      // connected now; to another node: at least so many
	Rooms    []string // that are listed
	Since    time.Time
	// AwaySince is zero unless the person is away; AwayText is what they said then, often empty.
	AwaySince time.Time
	AwayText  string
	// Via is the other node that vouches for the person, its title and id; empty: they come to this one.
	Via string
}

// AwayAnswer is what others see of the user from now on.
type AwayAnswer struct {
	Away bool
	Text string
}

// RoomLine is a room in a list.
type RoomLine struct {
	Name    string
	Members int
	Head    uint64 // the number of its last message
	Topic   string
}

// ListAnswer is the rooms of a node.
type ListAnswer struct {
	Rooms []RoomLine
}

// TopicAnswer is the topic of a room.
type TopicAnswer struct {
	Room  string
	Topic string // empty: none
}

// HelpAnswer explains commands: all, or one.
type HelpAnswer struct {
	Commands []Entry
}

// Lines returns the count and the names, some to a line.
func (a NamesAnswer) Lines(*time.Location) []string {
	total := max(a.Total, len(a.People))
	lines := []string{fmt.Sprintf("%s in %s:", count(total, "person", "people"), Label(a.Room))}
	if total == 0 {
		return []string{"nobody is in " + Label(a.Room)}
	}
	line := ""
	for i, p := range a.People {
		line += " " + chat.Shown(p.Name)
		if p.Away {
			line += " (away)"
		}
		if chat.Width(line) > 70 || i == len(a.People)-1 {
			lines, line = append(lines, " "+line), ""
		}
	}
	if rest := total - len(a.People); rest > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", rest))
	}
	return lines
}

// Lines returns name and key, then presence, then what they said when they went away, then rooms.
func (a WhoisAnswer) Lines(zone *time.Location) []string {
	when := a.Since.In(zone).Format("2006-01-02 15:04")
	lines := []string{fmt.Sprintf("%s has the key %s", chat.Shown(a.Who.Name), a.Who.ID)}
	switch {
	case a.Sessions > 0 && a.Via != "":
		lines = append(lines, "  connected to another node: "+a.Via)
	case a.Sessions > 0:
		lines = append(lines, fmt.Sprintf("  here since %s, %s", when, count(a.Sessions, "connection", "connections")))
	case a.Via != "" && !a.Since.IsZero():
		lines = append(lines, "  not connected, last seen "+when+" by way of another node: "+a.Via)
	case a.Via != "":
		lines = append(lines, "  not connected, known by way of another node: "+a.Via)
	case !a.Since.IsZero():
		lines = append(lines, "  not connected, last seen "+when)
	default:
		lines = append(lines, "  not connected")
	}
	if !a.AwaySince.IsZero() {
		line := "  away since " + a.AwaySince.In(zone).Format("2006-01-02 15:04")
		if a.AwayText != "" {
			line += ": " + a.AwayText
		}
		lines = append(lines, line)
	}
	if len(a.Rooms) > 0 {
		lines = append(lines, "  in "+strings.Join(labels(a.Rooms), " "))
	}
	return lines
}

// Lines returns it as a sentence.
func (a AwayAnswer) Lines(*time.Location) []string {
	switch {
	case !a.Away:
		return []string{"you are back"}
	case a.Text == "":
		return []string{"you are away until /back"}
	}
	return []string{"you are away until /back: " + a.Text}
}

// Lines returns one line a room.
func (a ListAnswer) Lines(*time.Location) []string {
	if len(a.Rooms) == 0 {
		return []string{"there are no rooms yet"}
	}
	lines := []string{count(len(a.Rooms), "room:", "rooms:")}
	for _, r := range a.Rooms {
		line := fmt.Sprintf("  %s: %s here, %s", Label(r.Name), count(r.Members, "person", "people"), count(int(r.Head), "message", "messages"))
		if r.Topic != "" {
			line += ": " + r.Topic
		}
		lines = append(lines, line)
	}
	return lines
}

// Lines returns the topic in a sentence.
func (a TopicAnswer) Lines(*time.Location) []string {
	if a.Topic == "" {
		return []string{Label(a.Room) + " has no topic"}
	}
	return []string{fmt.Sprintf("the topic of %s: %s", Label(a.Room), a.Topic)}
}

// Lines returns usage and help of each command, and aliases where it is one alone.
func (a HelpAnswer) Lines(*time.Location) []string {
	var lines []string
	for i := range a.Commands {
		line := fmt.Sprintf("%-18s %s", a.Commands[i].Usage(), a.Commands[i].Help)
		line += rightsTexts[a.Commands[i].Rights]
		if a.Commands[i].OnScreen() {
			line += " (on the full screen)"
		}
		lines = append(lines, line)
	}
	if len(a.Commands) > 1 {
		return append(lines, "everything else is talk; a text that begins with / is typed as //")
	}
	for i := range a.Commands {
		if aliases := a.Commands[i].Aliases; len(aliases) > 0 {
			lines = append(lines, fmt.Sprintf("%-18s /%s", "  the same:", strings.Join(aliases, " /")))
		}
	}
	return lines
}

// rightsTexts say for whom a command is.
var rightsTexts = map[Rights]string{
	Moderator: " (for the room's moderators)", Owner: " (for the room's owner)", Admin: " (for the node's admins)",
}

// Label returns a room as people read it: "#ops", or "@bob" for a conversation with one person.
func Label(room string) string {
	if person, direct := strings.CutPrefix(room, chat.DirectMark); direct {
		return chat.DirectMark + chat.Shown(person)
	}
	return "#" + chat.Shown(room)
}

func labels(rooms []string) []string {
	out := make([]string, len(rooms))
	for i, r := range rooms {
		out[i] = Label(r)
	}
	return out
}

// count returns "1 person" or "3 people".
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
