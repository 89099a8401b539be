package tui

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// pieces are what is typed and pasted.
var pieces = []string{"a", "B", " ", "/", "#", "x", "n", "j", "car", "word ", "two words", "\n", "\t", "é", "e\u0301", "\u0301", "\u200d", "\ufe0f", "👍", "👍🏽", "🏽", "👨\u200d👩\u200d👧", "🇩", "🇩🇪", "❤\ufe0f",
	"1\ufe0f\u20e3", "小林", "你好世界", "กำ", "ำ", "سلام", "\u202e", "\x1b[2J", "\xff", "\r\n", "\r", "ᄒ", "\u1161", "\u11ab", "क्षि", "\u093f", "\u200b", "　", "\u00ad", "/join ", "/msg ",
	strings.Repeat("long ", 50), strings.Repeat("\n", 10), strings.Repeat("y", 3000), strings.Repeat("小", 1000)}

var places = []string{"", "#a", "#b", "#c", "@bob"}

// user uses an input at random, or as a fuzzer says, and knows what must come of it.
type user struct {
	in            *input
	keys          []string
	next          func(n int) int // a number below n
	width, height int
	place         string
	drafts        map[string]string // what was typed in the places where the user isn't
	before        string            // a search
	newest        string            // of the history
}

func newUser(next func(n int) int) *user {
	keys := append(slices.Sorted(maps.Keys(editing)), "esc", "ctrl+c", "ctrl+g", "ctrl+s", "enter", "pgup", "tab", "shift+tab", "up", "up", "down", "ctrl+r", "ctrl+r", "backspace", "left")
	return &user{in: newInput(), keys: keys, next: next, width: 80, height: 5, drafts: map[string]string{}}
}

// act does one thing.
func (u *user) act(t testing.TB) {
	t.Helper()
	piece := pieces[u.next(len(pieces))]
	_, was := u.in.searching()
	before := u.in.value()
	switch u.next(20) {
	case 0:
		u.in.insert(piece)
	case 1:
		u.width, u.height = u.next(202)-1, u.next(12)-1
	case 2, 3:
		u.switchTo(t, places[u.next(len(places))])
	case 4:
		place := places[u.next(len(places))]
		u.in.forget(place)
		if delete(u.drafts, place); place == u.place && !u.in.isEmpty() {
			t.Fatalf("%q is forgotten and holds %q", place, u.in.value())
		}
	case 5:
		u.in.remember(piece + "!")
		if text := chat.CleanText(chat.Text, safe(piece+"!")); fits(text) {
			u.newest = text
		}
	case 6:
		u.in.replace(u.next(40)-5, u.next(40)-5, piece)
	case 7:
		if u.next(5) == 0 {
			u.in.clear()
		}
	case 8:
		u.compose(places[u.next(len(places))], piece)
	case 9, 10, 11, 12:
		u.in.handle(tea.KeyPressMsg{Code: tea.KeyExtended, Text: piece})
	default:
		u.key(t, u.keys[u.next(len(u.keys))])
	}
	if u.next(3) > 0 {
		u.in.suggest(here)
	}
	if _, is := u.in.searching(); is && !was {
		u.before = before
	}
}

func (u *user) key(t testing.TB, name string) {
	t.Helper()
	switch name {
	case "tab", "shift+tab":
		u.in.complete(here, name == "shift+tab")
	default:
		u.in.handle(keyNamed(t, name))
	}
}

// switchTo goes to another place, where all must be as it was left.
func (u *user) switchTo(t testing.TB, place string) {
	t.Helper()
	if place == u.place {
		u.in.switchTo(place)
		return
	}
	u.drafts[u.place] = u.in.value()
	if _, on := u.in.searching(); on {
		u.drafts[u.place] = u.before
	}
	u.in.switchTo(place)
	if got, want := u.in.value(), u.drafts[place]; got != want {
		t.Fatalf("%s holds %+q, it was left with %+q", place, got, want)
	}
	delete(u.drafts, place)
	u.place = place
}

func (u *user) compose(place, text string) {
	err := u.in.composed(composed{place: place, text: text})
	if err == nil && place != u.place {
		u.drafts[place] = strings.TrimSuffix(chat.CleanText(chat.Text, safe(text)), "\n")
	}
}

// check holds the input to what it promises.
func (u *user) check(t testing.TB) {
	t.Helper()
	checkInput(t, u.in, u.width, u.height)
	for _, line := range u.in.popup(u.width, u.height) {
		if chat.Width(line.text) > u.width || chat.Width(line.text)+2+chat.Width(line.help) > max(u.width, chat.Width(line.text)+2) {
			t.Fatalf("the popup has %+v at width %d", line, u.width)
		}
	}
	if prompt, _ := u.in.searching(); chat.OneLine(prompt) != prompt {
		t.Fatalf("the prompt is %+q", prompt)
	}
	held := u.in.drafts()
	for place, text := range u.drafts {
		if text != "" && !slices.Contains(held, place) {
			t.Fatalf("the draft of %s, %+q, is not among %q", place, text, held)
		}
	}
}

// end sees that after all of it ↑ brings back what was sent last.
func (u *user) end(t testing.TB) {
	t.Helper()
	u.in.clear()
	if u.in.handle(keyNamed(t, "up")); u.in.value() != u.newest {
		t.Fatalf("↑ brings %+q, sent was %+q", u.in.value(), u.newest)
	}
}

func TestInputAtRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, round))
		u := newUser(random.IntN)
		for range 500 {
			u.act(t)
			u.check(t)
		}
		u.end(t)
	}
}

func FuzzInput(f *testing.F) {
	f.Add([]byte("typing goes on"))
	f.Add([]byte{0, 13, 5, 0, 0, 9, 1, 0, 14, 30, 0, 3, 2, 1})
	f.Fuzz(func(t *testing.T, keys []byte) {
		u := newUser(func(n int) int {
			if len(keys) == 0 {
				return 0
			}
			k := int(keys[0])
			keys = keys[1:]
			return k % n
		})
		for range 200 {
			if len(keys) == 0 {
				break
			}
			u.act(t)
			u.check(t)
		}
		u.end(t)
	})
}

// BenchmarkKey is a key in as long a text as there can be, and drawing it.
func BenchmarkKey(b *testing.B) {
	for name, text := range map[string]string{"empty": "", "words": strings.Repeat("good morning ", 630), "CJK": strings.Repeat("你好世界", 680), "family": strings.Repeat("👨\u200d👩\u200d👧", 450)} {
		for _, key := range []string{"x", "left"} {
			b.Run(name+"/"+key, func(b *testing.B) {
				in := newInput()
				in.set(text)
				press(b, in, "left", "left", "left")
				k := keyNamed(b, key)
				if key == "x" {
					k.Text = key
				}
				back := keyNamed(b, map[string]string{"x": "backspace", "left": "right"}[key])
				for b.Loop() {
					in.handle(k)
					k, back = back, k
					in.lines(80, 10)
					in.position(80, 10)
				}
			})
		}
	}
}

// BenchmarkSearch is one more letter of what Ctrl-R searches for, in as long a history as there can be, and nowhere in it.
func BenchmarkSearch(b *testing.B) {
	in := newInput()
	for range maxHistory {
		in.remember(strings.Repeat("Good morning ", 160) + string(rune('a'+len(in.history.lines)%26)))
	}
	press(b, in, "ctrl+r")
	for b.Loop() {
		in.seek.query = ""
		in.refine("zz")
	}
}
