package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
)

const (
	// historyLines is how many messages /history shows unless it is told otherwise, SearchHits how many /search does.
	historyLines = 50
	SearchHits   = 20
)

// HistoryQuery is what /history asks for: the last N messages before Before (0: all) of those not older than Since (0: of any age).
type HistoryQuery struct {
	N      int
	Before uint64
	Since  time.Duration
}

// parseHistory reads [N] [before SEQ] [since AGE], in any order.
func parseHistory(text string) (HistoryQuery, error) {
	var q HistoryQuery
	for words := strings.Fields(text); len(words) > 0; {
		word, value, rest, err := cutPair(words, "before", "since")
		if err != nil {
			return q, historyUsage("%v", err)
		}
		words = rest
		switch {
		case word == "before" && q.Before == 0:
			if q.Before, err = strconv.ParseUint(value, 10, 64); err != nil || q.Before == 0 {
				return q, historyUsage("%s is not the number of a message", quote(value))
			}
		case word == "since" && q.Since == 0:
			if q.Since, err = chat.ParseDuration(value); err != nil || q.Since < time.Millisecond {
				return q, historyUsage("%s is not a time such as 90s, 2h or 30d", quote(value))
			}
		case q.N == 0 && value == "":
			if q.N, err = strconv.Atoi(word); err != nil || q.N < 1 || q.N > chat.MaxTail {
				return q, historyUsage("%s is not a number of messages, 1 to %d", quote(word), chat.MaxTail)
			}
		default:
			return q, historyUsage("%s is there twice", quote(word))
		}
	}
	switch {
	case q.N > 0:
	case q.Since > 0:
		q.N = chat.MaxTail
	default:
		q.N = historyLines
	}
	return q, nil
}

func historyUsage(format string, args ...any) error {
	return badUsage(byName[history], format, args...)
}

// command returns the line that asks for the messages before these.
func (q HistoryQuery) command(before uint64) string {
	line := "/" + history
	if q.Since > 0 && q.N != chat.MaxTail || q.Since == 0 && q.N != historyLines {
		line += fmt.Sprintf(" %d", q.N)
	}
	line += fmt.Sprintf(" before %d", before)
	if q.Since > 0 {
		line += " since " + chat.FormatDuration(q.Since)
	}
	return line
}

// SearchQuery is what /search asks for. Empty strings and a zero Before are no condition.
type SearchQuery struct {
	Words  string
	Room   string // as Env.Room returns it
	From   string
	Before uint64 // a number of the node's, from the page before
}

// parseSearch reads WORDS [in ROOM] [from NAME] [before N]. The pairs stand at the end, in any order; elsewhere, a second time, or with
// something that can't be meant, they are words like others.
func parseSearch(text string) (SearchQuery, error) {
	var q SearchQuery
	words := strings.Fields(text)
	for n := len(words); n >= 2 && q.take(words[n-2], words[n-1]); n = len(words) {
		words = words[:n-2]
	}
	q.Words = strings.Join(words, " ")
	switch {
	case q.Words == "" && q.From == "":
		return q, badUsage(byName[search], "WORDS is missing")
	case len(q.Words) > chat.MaxQuery:
		return q, badUsage(byName[search], "a search holds at most %d bytes of words", chat.MaxQuery)
	}
	return q, nil
}

// take takes a pair at the end of a search, and reports whether it is one.
func (q *SearchQuery) take(key, value string) bool {
	switch {
	case key == "in" && q.Room == "":
		if person, direct := strings.CutPrefix(value, chat.DirectMark); direct {
			if !fitPerson(person) {
				return false
			}
			q.Room = value
			return true
		}
		room := strings.ToLower(strings.TrimPrefix(value, "#"))
		if !chat.MayBeRoom(room) {
			return false
		}
		q.Room = room
		return true
	case key == "from" && q.From == "":
		name := strings.TrimPrefix(value, chat.DirectMark)
		if !fitPerson(name) {
			return false
		}
		q.From = name
		return true
	case key == "before" && q.Before == 0:
		before, err := strconv.ParseUint(value, 10, 64)
		q.Before = before
		return err == nil && before > 0
	}
	return false
}

// command returns the line that asks for it, without a page.
func (q SearchQuery) command() string {
	line := "/" + search
	if q.Words != "" {
		line += " " + q.Words
	}
	if q.Room != "" {
		line += " in " + q.Room
	}
	if q.From != "" {
		line += " from " + q.From
	}
	return line
}

// Keep says how long a room's messages are kept. Unless it is Set the node decides; a zero bound is none.
type Keep struct {
	Set  bool
	Age  time.Duration
	Size int64 // bytes
}

// parseKeep reads what /keep is to change, nil when it is only asked: all, default, or an age, a size, or both. A number without a unit is refused:
// whoever means 90 days must not keep 90 bytes.
func parseKeep(text string) (*Keep, error) {
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return nil, nil
	case len(words) == 1 && words[0] == "all":
		return &Keep{Set: true}, nil
	case len(words) == 1 && words[0] == "default":
		return &Keep{}, nil
	}
	k := Keep{Set: true}
	for _, word := range words {
		if strings.Trim(word, "0123456789.") == "" {
			return nil, badUsage(byName[keep], "%s has no unit: 90d is an age, 1GB a size", quote(word))
		}
		age, ageErr := chat.ParseDuration(word)
		size, sizeErr := chat.ParseSize(word)
		switch {
		case ageErr == nil && age >= time.Millisecond && k.Age == 0:
			k.Age = age
		case ageErr != nil && sizeErr == nil && size > 0 && k.Size == 0:
			k.Size = size
		default:
			return nil, badUsage(byName[keep], "%s is neither an age such as 90d nor a size such as 1GB, or not the first", quote(word))
		}
	}
	return &k, nil
}

// runLog does the commands that ask for what is kept.
func runLog(ctx context.Context, call Call, env Env, text string) error {
	switch call.Name {
	case history:
		if word, rest := cutWord(text); word == causalWord {
			return runCausal(ctx, env, rest)
		}
		q, err := parseHistory(text)
		if err != nil {
			return err
		}
		return inRoom(env, "", func(room string) error { return show(env)(env.History(ctx, room, q)) })
	case search:
		q, err := parseSearch(text)
		if err != nil {
			return err
		}
		return show(env)(env.Search(ctx, q))
	case mentions:
		return runMentions(ctx, env, text)
	}
	change, err := parseKeep(text)
	if err != nil {
		return err
	}
	return inRoom(env, "", func(room string) error { return show(env)(env.Keep(ctx, room, change)) })
}

// HistoryAnswer is a part of a room's log.
type HistoryAnswer struct {
	Room  string
	Query HistoryQuery
	Said  []Said // in the order of their Seq
	More  bool   // there are earlier ones
}

// Lines returns one line a message, and how to ask for the messages before them.
func (a HistoryAnswer) Lines(zone *time.Location) []string {
	if len(a.Said) == 0 {
		line := Label(a.Room) + " has no messages"
		if a.Query.Before > 0 {
			line += fmt.Sprintf(" before %d", a.Query.Before)
		}
		if a.Query.Since > 0 {
			line += " of the last " + chat.FormatDuration(a.Query.Since)
		}
		return []string{line}
	}
	lines := []string{fmt.Sprintf("%s of %s:", count(len(a.Said), "message", "messages"), Label(a.Room))}
	lines = append(lines, saidLines(a.Said, zone, false)...)
	if a.More {
		lines = append(lines, "  more: "+a.Query.command(a.Said[0].Seq))
	}
	return lines
}

// SearchAnswer is what a search has found.
type SearchAnswer struct {
	Query  SearchQuery
	Hits   []Said // the newest first
	Next   uint64 // for SearchQuery.Before; 0: that was all
	Behind uint64 // messages that can't be found yet
}

// Lines returns one line a message, and how to ask for more.
func (a SearchAnswer) Lines(zone *time.Location) []string {
	found := "nothing found"
	if len(a.Hits) > 0 {
		found = count(len(a.Hits), "message", "messages") + " found, the newest first:"
	} else if a.Next > 0 {
		found += " so far"
	}
	return foundLines(found, a.Hits, a.Query.command(), a.Next, a.Behind, zone)
}

// foundLines returns what was found, and how to ask for more: ask is the command for the page after this one, less the number of it.
func foundLines(found string, hits []Said, ask string, next, behind uint64, zone *time.Location) []string {
	lines := append([]string{found}, saidLines(hits, zone, true)...)
	if next > 0 {
		lines = append(lines, fmt.Sprintf("  more: %s before %d", ask, next))
	}
	if behind > 0 {
		lines = append(lines, fmt.Sprintf("  the last %s can't be found yet", count(int(min(behind, 1<<31-1)), "message", "messages")))
	}
	return lines
}

// KeepAnswer is how long a room's messages are kept.
type KeepAnswer struct {
	Room string
	Keep Keep
}

// Lines returns it as a sentence.
func (a KeepAnswer) Lines(*time.Location) []string {
	return []string{fmt.Sprintf("%s is kept %s", Label(a.Room), chat.FormatKeep(a.Keep.Set, a.Keep.Age, a.Keep.Size))}
}
