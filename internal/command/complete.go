package command

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
)

// maxCandidates is how many candidates there are at most.
const maxCandidates = 100

// Source knows what can be meant, the likeliest first.
type Source interface {
	// People returns names, of those who spoke last first.
	People() []string
	// Rooms returns rooms without '#', and conversations with chat.DirectMark and the other's name.
	Rooms() []string
}

// Candidate is what may be meant.
type Candidate struct {
	Text string // what is put into the line, with what follows it: "/join ", "carol: "
	Help string // one line that explains it, often empty
}

// Completion is what the part of a line before the cursor may become. Each candidate replaces the bytes From to To, behind which the cursor goes.
type Completion struct {
	From, To   int
	Candidates []Candidate // the likeliest first; no two alike
	Talk       bool        // the word is one of a text: whoever types it may mean no name at all
}

// Complete returns what the word that ends at byte at of a line may become: a command, an argument of the kind that the table says, a word of an
// argument's grammar, or in talk a name, "@name" or "#room", of which at least the first character must be there. Whatever stands behind the cursor
// stays. Names begin as what was typed does by chat.Fold, or, where none does, by chat.Skeleton. What has not the form of a name is none. at may be
// any number; inside of a character it stands for the place before it.
func Complete(line string, at int, s Source) Completion {
	at = min(max(at, 0), len(line))
	for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
		at--
	}
	from := 0
	if i := strings.LastIndexFunc(line[:at], unicode.IsSpace); i >= 0 {
		_, size := utf8.DecodeRuneInString(line[i:])
		from = i + size
	}
	c := completer{source: s, word: line[from:at], first: from == 0}
	c.complete(line[:from])
	if len(c.found) == 0 {
		return Completion{From: at, To: at}
	}
	to := at
	if strings.HasPrefix(line[at:], " ") { // every candidate brings one
		to++
	}
	return Completion{From: from, To: to, Candidates: c.found, Talk: c.isTalk}
}

// completer gathers the candidates for a word.
type completer struct {
	source Source
	word   string
	first  bool // in the line
	isTalk bool
	found  []Candidate
}

// complete finds what the word may be behind what stands before it.
func (c *completer) complete(before string) {
	rest, isCommand := strings.CutPrefix(before+c.word, "/")
	switch {
	case !isCommand || strings.HasPrefix(rest, "/"):
		c.talk()
	case c.first:
		c.commands(rest, "/")
	default:
		name, rest := cutWord(before[1:])
		if entry, ok := byName[strings.ToLower(name)]; ok {
			c.argument(entry, strings.Fields(rest))
		}
	}
}

// commands offers commands, with mark before their names, and aliases where no name fits.
func (c *completer) commands(prefix, mark string) {
	prefix = strings.ToLower(prefix)
	var exact, longer, aliases []Candidate
	for i := range table {
		e := &table[i]
		if e.Name == prefix {
			exact = append(exact, Candidate{mark + e.Name + " ", e.Help})
		} else if strings.HasPrefix(e.Name, prefix) {
			longer = append(longer, Candidate{mark + e.Name + " ", e.Help})
		}
		for _, alias := range e.Aliases {
			if strings.HasPrefix(alias, prefix) {
				aliases = append(aliases, Candidate{mark + alias + " ", e.Help})
			}
		}
	}
	if c.found = append(exact, longer...); len(c.found) == 0 {
		c.found = aliases
	}
}

// argument offers what may stand behind the arguments that are given.
func (c *completer) argument(e *Entry, given []string) {
	last := len(e.Args) - 1
	switch {
	case last >= 0 && e.Args[last].Kind == Free && len(given) >= last:
		c.free(e.Args[last].Name, given[last:])
	case len(given) > last || e.Name == nick: // nobody takes another's name
	case e.Args[len(given)].Kind == Person:
		c.people(e.Name == msg)
	case e.Args[len(given)].Kind == Room:
		c.rooms(true)
	case e.Args[len(given)].Kind == Command:
		c.commands(strings.TrimPrefix(c.word, "/"), "")
	}
}

// keyword is a word of a grammar that is typed as it stands there.
type keyword struct {
	word  string
	value string // what stands behind it; empty: nothing, and nothing else beside it
}

// keywords returns those of a grammar's parts.
func keywords(parts []string) (all []keyword) {
	for i, part := range parts {
		if strings.Trim(strings.TrimPrefix(part, "-"), "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		k := keyword{word: part}
		if i+1 < len(parts) && parts[i+1] != "|" {
			k.value = parts[i+1]
		}
		all = append(all, k)
	}
	return all
}

// free offers what fits into an argument of that grammar, behind words of it.
func (c *completer) free(grammar string, given []string) {
	parts := strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(grammar))
	keys := keywords(parts)
	for _, k := range keys {
		if k.value != "" && len(given) > 0 && given[len(given)-1] == k.word {
			c.value(k.value)
			return
		}
	}
	isText := parts[0] == "TEXT" || parts[0] == "WORDS"
	for _, k := range keys {
		switch {
		case slices.Contains(given, k.word), k.value == "" && len(given) > 0:
		case isText && c.word == "" && (k.value == "" || len(given) == 0): // of text, a word has to begin before it is guessed
		case strings.HasPrefix(k.word, c.word):
			c.offer(k.word+" ", k.value)
		}
	}
	if parts[0] == "ROOM" {
		c.rooms(false)
	}
	if strings.HasPrefix(c.word, chat.DirectMark) && len(given) == 0 && slices.Contains(parts, "@NAME") {
		c.people(false)
	}
	if isText {
		c.talk()
	}
}

// value offers what stands behind a keyword.
func (c *completer) value(kind string) {
	switch kind {
	case "ROOM":
		c.rooms(true)
	case "NAME":
		c.people(false)
	}
}

// talk offers whom a text may speak to or about: with a colon where it begins with them.
func (c *completer) talk() {
	c.isTalk = len(c.found) == 0
	switch mark, _ := c.cutMark(); {
	case c.word == "":
	case mark == "#":
		c.rooms(false)
	case c.first && mark == "":
		c.names("", ": ", c.word, c.persons())
	default:
		c.people(false)
	}
}

// people offers persons, and rooms as well where they may stand for one.
func (c *completer) people(orRooms bool) {
	switch mark, prefix := c.cutMark(); {
	case mark != "#":
		c.names(mark, " ", prefix, c.persons())
	case orRooms:
		c.rooms(false)
	}
}

// rooms offers rooms, and conversations as well where they may stand for one.
func (c *completer) rooms(orConversations bool) {
	mark, prefix := c.cutMark()
	var open, direct []string
	if c.source != nil {
		for _, room := range c.source.Rooms() {
			if name, isDirect := strings.CutPrefix(room, chat.DirectMark); isDirect {
				direct = append(direct, name)
			} else {
				open = append(open, room)
			}
		}
	}
	if mark != chat.DirectMark {
		c.names("#", " ", prefix, open)
	}
	if orConversations && mark != "#" {
		c.names(chat.DirectMark, " ", prefix, direct)
		if mark == chat.DirectMark {
			c.names(mark, " ", prefix, c.persons())
		}
	}
}

// cutMark takes the mark of a room or a person off the word.
func (c *completer) cutMark() (mark, rest string) {
	for _, mark := range []string{"#", chat.DirectMark} {
		if rest, found := strings.CutPrefix(c.word, mark); found {
			return mark, rest
		}
	}
	return "", c.word
}

func (c *completer) persons() []string {
	if c.source == nil {
		return nil
	}
	return c.source.People()
}

// names offers those of names that begin with prefix, in their order but for the one that is it, which goes first. Those that only look as if they
// did are offered where no others are.
func (c *completer) names(before, behind, prefix string, names []string) {
	if len(prefix) > maxPerson {
		return
	}
	for _, form := range []func(string) string{chat.Fold, chat.Skeleton} {
		begin := form(prefix)
		if begin == "" && prefix != "" {
			return
		}
		var exact, longer []string
		for _, name := range names {
			if chat.Shown(name) != name {
				continue // no name: nothing to type, and nothing to spend time on
			}
			switch formed := form(name); {
			case formed == begin:
				exact = append(exact, name)
			case strings.HasPrefix(formed, begin):
				longer = append(longer, name)
			}
		}
		for _, name := range append(exact, longer...) {
			c.offer(before+name+behind, "")
		}
		if len(exact)+len(longer) > 0 {
			return
		}
	}
}

// offer adds a candidate, once, and as long as there is room.
func (c *completer) offer(text, help string) {
	if len(c.found) < maxCandidates && !slices.ContainsFunc(c.found, func(other Candidate) bool { return other.Text == text }) {
		c.found = append(c.found, Candidate{text, help})
	}
}
