package typist

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// keys are what xterm sends for those that are no characters, without modifiers.
var keys = map[string]string{
	"enter": "\r", "tab": "\t", "esc": "\x1b", "backspace": "\x7f", "space": " ",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
	"insert": "\x1b[2~", "delete": "\x1b[3~", "pgup": "\x1b[5~", "pgdown": "\x1b[6~",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~", "f8": "\x1b[19~",
	"f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
	"shift+tab": "\x1b[Z", "ctrl+space": "\x00", "ctrl+backspace": "\b",
}

// modifiers are what each adds to the number that xterm sends with a key.
var modifiers = map[string]int{"shift": 1, "alt": 2, "ctrl": 4}

// encoded returns what xterm sends for a key such as "a", "ctrl+n", "alt+enter" or "shift+up", and whether there is such a key. application says that
// the program has asked for the arrow keys of one (DECCKM).
func encoded(key string, application bool) (bytes string, known bool) {
	names := strings.Split(key, "+")
	if held, plus := strings.CutSuffix(key, "++"); plus { // the key + itself
		names = append(strings.Split(held, "+"), "+")
	} else if key == "+" {
		names = []string{"+"}
	}
	name, held := names[len(names)-1], 0
	for _, modifier := range names[:len(names)-1] {
		if modifiers[modifier] == 0 {
			return "", false
		}
		held |= modifiers[modifier]
	}
	if special, ok := keys[key]; ok && !(application && isArrow(special)) {
		return special, true
	}
	special, ok := keys[name]
	switch {
	case ok && held == 0:
		return "\x1bO" + special[2:], true // an arrow of an application
	case ok && strings.HasPrefix(special, "\x1b") && len(special) > 2:
		return withModifiers(special, held), true
	case held&modifiers["alt"] != 0:
		rest, ok := encoded(strings.Join(without(names, "alt"), "+"), application)
		return "\x1b" + rest, ok
	case !ok && utf8.RuneCountInString(name) == 1 && held == 0:
		return name, true
	case !ok && len(name) == 1 && held == modifiers["ctrl"] && strings.Contains("abcdefghijklmnopqrstuvwxyz[\\]^_", name):
		return string(name[0] & 0x1f), true
	case !ok && len(name) == 1 && held == modifiers["shift"]:
		return strings.ToUpper(name), true
	}
	return "", false
}

// isArrow reports whether what is sent for a key is sent in another way to an application.
func isArrow(sent string) bool {
	return len(sent) == 3 && strings.HasPrefix(sent, "\x1b[") && sent != "\x1b[Z"
}

// without returns names but for one.
func without(names []string, unwanted string) (rest []string) {
	for _, name := range names {
		if name != unwanted {
			rest = append(rest, name)
		}
	}
	return rest
}

// withModifiers returns what is sent for a key that is held with others: CSI 1 ; 3 A, or CSI 5 ; 3 ~.
func withModifiers(special string, held int) string {
	last := len(special) - 1
	number := special[2:last]
	if number == "" {
		number = "1"
	}
	return "\x1b[" + number + ";" + strconv.Itoa(1+held) + special[last:]
}

// Type types text, character by character; a newline is the key Enter.
func (y *Typist) Type(text string) {
	y.Helper()
	y.write(strings.ReplaceAll(text, "\n", "\r"))
}

// Press presses keys, one after the other: characters, those in the table above, and all of them with "shift+", "alt+" and "ctrl+" before. What
// comes right behind an "esc" is taken for a key with Alt: wait for what it does first.
func (y *Typist) Press(names ...string) {
	y.Helper()
	for _, name := range names {
		bytes, known := encoded(name, y.grid.Keypad())
		if !known {
			y.Fatalf("there is no key %q", name)
		}
		y.write(bytes)
	}
}

// Paste pastes text as a terminal does: lines end with carriage returns, nothing in it can be taken for a sequence, and where the program has asked for
// that, there are brackets around it.
func (y *Typist) Paste(text string) {
	y.Helper()
	text = strings.ReplaceAll(strings.NewReplacer("\r\n", "\r", "\n", "\r").Replace(text), "\x1b", "")
	if y.grid.Pasting() {
		text = "\x1b[200~" + text + "\x1b[201~"
	}
	y.write(text)
}

// Focus gives the window the focus, or takes it away; a program that has not asked is not told.
func (y *Typist) Focus(on bool) {
	y.Helper()
	switch {
	case !y.grid.Focusing():
	case on:
		y.write("\x1b[I")
	default:
		y.write("\x1b[O")
	}
}
