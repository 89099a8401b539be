package command

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
)

// Call is a line that was understood.
type Call struct {
	Name string   // of the command, never an alias; Say for a line that is text
	Args []string // those that were given, in the table's order; a room without '#' and in lower case, a person without '@'
}

// Reason says what is wrong with a line, in the vocabulary of JSON output.
type Reason string

const (
	UnknownCommand Reason = "unknown_command" // no command has that name
	BadUsage       Reason = "bad_usage"       // an argument is missing, too much, or unfit
	NoScreen       Reason = "no_screen"       // the command needs a Screen
)

// Error is a line that begins like a command and is none, or none here. It must not be sent: its author meant something else than talk.
type Error struct {
	Reason Reason
	Text   string // a sentence for its author, with a hint, without a full stop
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Text }

// Parse takes a typed line apart. A line that does not begin with a slash is text; so is one that begins with two, less the first of
// them. The name's case doesn't matter. What it can't make a call of comes back as an *Error.
func Parse(line string) (Call, error) {
	rest, isCommand := strings.CutPrefix(line, "/")
	if !isCommand || strings.HasPrefix(rest, "/") {
		return Call{Name: Say, Args: []string{rest}}, nil
	}
	word, rest := cutWord(rest)
	entry, ok := byName[strings.ToLower(word)]
	if !ok {
		return Call{}, unknown(word)
	}
	call := Call{Name: entry.Name}
	for i, arg := range entry.Args {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		last := i == len(entry.Args)-1
		value := strings.TrimRightFunc(rest, unicode.IsSpace)
		if arg.Kind != Free || !last {
			value, rest = cutWord(rest)
		} else {
			rest = ""
		}
		if value == "" {
			if arg.Optional {
				return call, nil
			}
			name, _ := cutWord(arg.Name)
			return Call{}, badUsage(entry, "%s is missing", name)
		}
		value, err := entry.fit(arg, value)
		if err != nil {
			return Call{}, err
		}
		call.Args = append(call.Args, value)
	}
	if rest = strings.TrimSpace(rest); rest != "" {
		return Call{}, badUsage(entry, "%s is too much", quote(rest))
	}
	return call, nil
}

// fit returns the argument as calls carry it, or why it can't be one.
func (e *Entry) fit(arg Arg, value string) (string, error) {
	switch arg.Kind {
	case Room:
		if strings.HasPrefix(value, chat.DirectMark) {
			return e.person(arg, value[len(chat.DirectMark):], chat.DirectMark)
		}
		return e.room(value)
	case Person:
		// Whoever knows IRC writes to a room by its name.
		if e.Name == msg && strings.HasPrefix(value, "#") {
			room, err := e.room(value)
			return "#" + room, err
		}
		return e.person(arg, strings.TrimPrefix(value, chat.DirectMark), "")
	}
	return value, nil
}

func (e *Entry) room(value string) (string, error) {
	room := strings.ToLower(strings.TrimPrefix(value, "#"))
	if !chat.MayBeRoom(room) {
		return "", badUsage(e, "%s", chat.RoomRule)
	}
	return room, nil
}

// person checks no more than that value could be sent at all: whether somebody has that name is the node's to say.
func (e *Entry) person(arg Arg, value, mark string) (string, error) {
	if value == "" {
		return "", badUsage(e, "%s is missing", arg.Name)
	}
	if e.Name == nick && !chat.ValidName(chat.BaseName(value)) {
		return "", badUsage(e, "%s", chat.NameRule)
	}
	if !fitPerson(value) {
		return "", badUsage(e, "%s is not a name", quote(value))
	}
	return mark + value, nil
}

// maxPerson is the length in bytes that no name with its suffix and no key id exceeds.
const maxPerson = 128

// fitPerson reports whether somebody could go by that name, or have that key id. Neither begins with the mark of a person.
func fitPerson(name string) bool {
	return name != "" && len(name) <= maxPerson && utf8.ValidString(name) && !strings.HasPrefix(name, chat.DirectMark)
}

// cutWord cuts s at its first space of any kind.
func cutWord(s string) (word, rest string) {
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// cutPair cuts the first word off, and with it the one behind it where that is its value: the keys have one.
func cutPair(words []string, keys ...string) (word, value string, rest []string, err error) {
	word, rest = words[0], words[1:]
	if !slices.Contains(keys, word) {
		return word, "", rest, nil
	}
	if len(rest) == 0 {
		return word, "", nil, fmt.Errorf("%s what is missing", word)
	}
	return word, rest[0], rest[1:], nil
}

func badUsage(e *Entry, format string, args ...any) error {
	return &Error{BadUsage, fmt.Sprintf(format, args...) + "; usage: " + e.Usage()}
}

func unknown(word string) error {
	text := "/ alone is no command; /help lists them"
	if word != "" {
		text = quote("/"+word) + " is no command" + suggest(strings.ToLower(word)) + "; /help lists them, and a text that begins with / is typed as //"
	}
	return &Error{UnknownCommand, text}
}

// quote shortens what somebody typed to what a sentence can hold.
func quote(s string) string {
	return chat.Truncate(chat.OneLine(s), 40)
}

// suggest names the command that word was most likely meant to be, if any comes near it.
func suggest(word string) string {
	var known []string
	for _, e := range table {
		known = append(append(known, e.Name), e.Aliases...)
	}
	if name := Nearest(word, known); name != "" {
		return " (did you mean /" + name + "?)"
	}
	return ""
}

// Nearest returns the one of known that word was most likely meant to be, or nothing when none comes near it.
func Nearest(word string, known []string) (nearest string) {
	if len(word) > 20 {
		return ""
	}
	best := 3
	for _, k := range known {
		// More than half of a word changed is another word, not a slip.
		if d := distance(word, k); d < best && 2*d <= len(k) {
			best, nearest = d, k
		}
	}
	return nearest
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that make b of a (optimal string alignment).
func distance(a, b string) int {
	var older, prev []int
	for i := 0; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		for j := 0; j <= len(b); j++ {
			switch {
			case i == 0 || j == 0:
				row[j] = i + j
			case a[i-1] == b[j-1]:
				row[j] = prev[j-1]
			default:
				row[j] = 1 + min(prev[j-1], prev[j], row[j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, prev = prev, row
	}
	return prev[len(b)]
}
