package tui

import (
	"fmt"
	"maps"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Key is one row of the table of keys, as docs/usage.md has it.
type Key struct {
	Keys string // as people write them
	Help string // what they do, one line, without a full stop
}

// action is what a key does. What is to be done outside of the model comes back as a command.
type action func(m *model) tea.Cmd

// binding is keys that belong together. Those without actions are the input's, and stand in the table for people alone.
type binding struct {
	Key
	do map[string]action // by the key as Bubble Tea names it
}

// group is what belongs under one title.
type group struct {
	title string
	list  []binding
}

// quietly is an action that the terminal need not be told of.
func quietly(do func(m *model)) action {
	return func(m *model) tea.Cmd { do(m); return nil }
}

// typing returns a binding that the input has.
func typing(show, help string) binding { return binding{Key: Key{show, help}} }

// table returns the keys, in the order in which people meet them. It is a function because what the keys do leads back to it.
func table() []group {
	return []group{
		{"Talk", []binding{
			{Key{"Enter", "say it, or do the command"}, map[string]action{"enter": (*model).submit}},
			typing("Alt-Enter, Shift-Enter, Ctrl-J", "a new line in the same message"),
			{Key{"Tab, Shift-Tab", "complete a name, a room, a command or its argument; again: the next, the one before"}, map[string]action{
				"tab":       quietly(func(m *model) { m.input.complete(m, false) }),
				"shift+tab": quietly(func(m *model) { m.input.complete(m, true) }),
			}},
			typing("↑ ↓", "what was said before; within several lines, up and down"),
			typing("Ctrl-R", "search what was said before; again: further back"),
			{Key{"Ctrl-X", "write in $VISUAL or $EDITOR"}, map[string]action{"ctrl+x": func(m *model) tea.Cmd { return m.input.compose(m.until) }}},
		}},
		{"Rooms", []binding{
			{Key{"Ctrl-N, Alt-→", "the next room or conversation"}, map[string]action{"ctrl+n": nextBuffer, "alt+right": nextBuffer}},
			{Key{"Ctrl-P, Alt-←", "the one before"}, map[string]action{"ctrl+p": previousBuffer, "alt+left": previousBuffer}},
			{Key{"Alt-1 … Alt-9", "the one with that number; Alt-0: chatnode's own"}, numbers()},
			{Key{"Alt-A", "where something new is: mentions and conversations first"}, map[string]action{"alt+a": quietly((*model).activity)}},
		}},
		{"Messages", []binding{
			{Key{"PgUp, PgDn", "a page up, a page down; past the top, older messages are fetched"}, map[string]action{
				"pgup":   quietly(func(m *model) { m.up(m.page()) }),
				"pgdown": quietly(func(m *model) { m.down(m.page()) }),
			}},
			{Key{"Ctrl-↑, Ctrl-↓", "a line up, a line down"}, map[string]action{
				"ctrl+up":   quietly(func(m *model) { m.up(1) }),
				"ctrl+down": quietly(func(m *model) { m.down(1) }),
			}},
			{Key{"End", "with nothing typed: back to the newest"}, map[string]action{"end": quietly(func(m *model) { m.toEnd(m.shown) })}},
			{Key{"Alt-N, Alt-P", "the next message that mentions you, the one before"}, map[string]action{
				"alt+n": quietly(func(m *model) { m.mention(1) }),
				"alt+p": quietly(func(m *model) { m.mention(-1) }),
			}},
			{Key{"Alt-↑, Alt-↓", "select a message, for /reply and Alt-O; Esc ends that"}, map[string]action{
				"alt+up":   quietly(func(m *model) { m.shown.pickNext(-1) }),
				"alt+down": quietly(func(m *model) { m.shown.pickNext(1) }),
			}},
			{Key{"Alt-O", "go to the message that the selected one answers"}, map[string]action{"alt+o": (*model).origin}},
		}},
		{"Screen", []binding{
			{Key{"F1", "show these keys"}, map[string]action{"f1": quietly((*model).showKeys)}},
			{Key{"F7", "show or hide the rooms"}, map[string]action{"f7": quietly(func(m *model) { m.hideRooms = !m.hideRooms })}},
			{Key{"F8", "show or hide the people"}, map[string]action{"f8": quietly(func(m *model) { m.hidePeople = !m.hidePeople })}},
			{Key{"Alt-L", "what is on the screen as bare text, to select and copy"}, map[string]action{"alt+l": (*model).bare}},
			{Key{"Ctrl-L", "draw the screen anew"}, map[string]action{"ctrl+l": func(*model) tea.Cmd { return tea.ClearScreen }}},
			{Key{"Ctrl-Z", "stop chatnode; fg goes on"}, map[string]action{"ctrl+z": (*model).stop}},
			{Key{"Ctrl-C", "take back what is typed; a second time within two seconds: quit"}, map[string]action{"ctrl+c": (*model).clearOrQuit}},
			{Key{"Ctrl-D", "with nothing typed: quit"}, map[string]action{"ctrl+d": (*model).quit}},
		}},
		{"Editing", []binding{
			typing("Ctrl-A, Home", "the beginning of the line"),
			typing("Ctrl-E, End", "its end"),
			typing("Ctrl-B, Ctrl-F, ← →", "a character back, forward"),
			typing("Alt-B, Alt-F, Ctrl-←, Ctrl-→", "a word back, forward"),
			typing("Ctrl-W, Alt-Backspace", "cut the word before"),
			typing("Alt-D", "cut the word behind"),
			typing("Ctrl-U, Ctrl-K", "cut what is before, what is behind"),
			typing("Ctrl-Y", "put back what was cut last"),
			typing("Ctrl-T", "swap two characters"),
			typing("Ctrl-_", "undo"),
		}},
	}
}

var (
	nextBuffer     = quietly(func(m *model) { m.step(1) })
	previousBuffer = quietly(func(m *model) { m.step(-1) })
)

// numbers are the keys that turn to a buffer by its number.
func numbers() map[string]action {
	all := map[string]action{}
	for n := range 10 {
		all[fmt.Sprintf("alt+%d", n)] = quietly(func(m *model) { m.number(n) })
	}
	return all
}

// Keys returns the table of keys: titles, and the keys that belong under each.
func Keys() (titles []string, keys [][]Key) {
	for _, g := range table() {
		titles = append(titles, g.title)
		var list []Key
		for _, b := range g.list {
			list = append(list, b.Key)
		}
		keys = append(keys, list)
	}
	return titles, keys
}

// byKey holds what each key does.
var byKey map[string]action

func init() {
	byKey = map[string]action{}
	for _, g := range table() {
		for _, b := range g.list {
			maps.Copy(byKey, b.do)
		}
	}
}

// showKeys lists the keys in chatnode's own buffer.
func (m *model) showKeys() {
	titles, keys := Keys()
	for i, title := range titles {
		m.status.note(title, m.cfg.Now())
		for _, k := range keys[i] {
			m.status.note(fmt.Sprintf("  %-30s %s", k.Keys, k.Help), m.cfg.Now())
		}
	}
	m.show(m.status)
	m.toEnd(m.status)
}

// key does what a key does: to a question when one stands, else to the input where that takes it, else to the screen.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	back := m.typed()
	name := k.String()
	if name != "ctrl+c" {
		m.cleared = time.Time{}
	}
	if m.question != nil {
		return tea.Batch(back, m.choose(k))
	}
	if m.chooses(name) {
		return back
	}
	if m.first(name) {
		return tea.Batch(back, byKey[name](m))
	}
	if m.input.handle(k) {
		m.input.suggest(m)
		if fault := m.input.fault(); fault != "" {
			m.say(fault)
		}
		return back
	}
	switch do := byKey[name]; {
	case do != nil:
		return tea.Batch(back, do(m))
	case name == "esc":
		m.escape()
	}
	return back
}

// first reports whether a key is the screen's even where the input would know it: with nothing typed, and in a list of results.
func (m *model) first(name string) bool {
	if byKey[name] == nil {
		return false
	}
	switch name {
	case "ctrl+d", "end":
		return m.input.isEmpty()
	}
	return false
}

// escape ends what is on: a selection, then the past.
func (m *model) escape() {
	b := m.shown
	switch {
	case b.picked != none && b.kind != bufFound:
		b.pick(none)
	case b.past != nil || !b.pane.AtEnd():
		m.toEnd(b)
	}
}

// page is how many lines a page up goes: the screen but for two, so that one finds the place again.
func (m *model) page() int {
	_, high := m.paneSize()
	return max(1, high-2)
}

func (m *model) up(lines int) {
	m.shown.goOn()
	m.shown.view().Up(lines)
}

func (m *model) down(lines int) {
	m.shown.goOn()
	m.shown.view().Down(lines)
}

// mention selects the next message that mentions the user, or the one before.
func (m *model) mention(n int) {
	b := m.shown
	v := b.view()
	i := b.picked
	if v.At(i) == nil {
		if _, i = v.Visible(); n > 0 {
			i--
		}
	}
	for i += n; v.At(i) != nil; i += n {
		if v.At(i).mention {
			b.pick(i)
			v.Show(i)
			return
		}
	}
	m.say("no further mention of you here; /mentions finds all")
}
