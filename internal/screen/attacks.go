package screen

import "strings"

// Attack is a text that wants to drive a terminal or to pass for something else.
type Attack struct {
	Name string
	Text string
	// Tame tells that a terminal obeys nothing of it: it deceives the reader alone.
	Tame bool
}

// Attacks are all of them. A text that holds "forged" wants a line of its own to begin with it.
var Attacks = []Attack{
	{Name: "CSI clear", Text: "\x1b[2J\x1b[H"},
	{Name: "CSI colour", Text: "\x1b[31;1mred\x1b[0m"},
	{Name: "CSI up and over", Text: "\x1b[1A\x1b[2Kforged"},
	{Name: "CSI without end", Text: "\x1b[31;"},
	{Name: "CSI report", Text: "\x1b[6n\x1b[c\x1b[>c"},
	{Name: "CSI window report", Text: "\x1b[21t"},
	{Name: "CSI alternate screen", Text: "\x1b[?1049h"},
	{Name: "CSI mouse", Text: "\x1b[?1003h"},
	{Name: "CSI scroll region", Text: "\x1b[1;2r"},
	{Name: "CSI of one byte", Text: "\x9b2J"},
	{Name: "CSI in two bytes", Text: "\u009b2J"},
	{Name: "CSI around a newline", Text: "\x1b[\n2J"},
	{Name: "CSI around a cancel", Text: "\x1b[3\x181m\x1b[3\x1a1m"},
	{Name: "CSI spliced from what is cut out", Text: "\x1b\x1b[2J[2J"},
	{Name: "CSI spliced from direction", Text: "\x1b\u202e[2J"},
	{Name: "ESC reset", Text: "\x1bc"},
	{Name: "ESC character set", Text: "\x1b(0lqk\x0e"},
	{Name: "ESC alone", Text: "\x1b"},
	{Name: "ESC alignment", Text: "\x1b#8"},
	{Name: "ESC save and restore", Text: "\x1b7\x1b8"},
	{Name: "OSC title, BEL", Text: "\x1b]0;forged\x07"},
	{Name: "OSC title, ST", Text: "\x1b]2;forged\x1b\\"},
	{Name: "OSC title of one byte", Text: "\x9d0;forged\x9c"},
	{Name: "OSC title in two bytes", Text: "\u009d0;forged\u009c"},
	{Name: "OSC link", Text: "\x1b]8;;http://example.com\x07here\x1b]8;;\x07"},
	{Name: "OSC clipboard", Text: "\x1b]52;c;cm0gLXJmIC8K\x07"},
	{Name: "OSC notification", Text: "\x1b]9;forged\x07\x1b]777;notify;a;b\x07"},
	{Name: "OSC working folder", Text: "\x1b]7;file://host/tmp\x07"},
	{Name: "OSC image", Text: "\x1b]1337;File=inline=1:AAAA\x07"},
	{Name: "OSC without end", Text: "\x1b]0;swallows all that follows"},
	{Name: "DCS request", Text: "\x1bP+q544e\x1b\\"},
	{Name: "DCS sixel", Text: "\x1bPq#0;2;0;0;0~~\x1b\\"},
	{Name: "DCS of one byte", Text: "\x90q\x9c"},
	{Name: "DCS in two bytes", Text: "\u0090q\u009c"},
	{Name: "DCS without end", Text: "\x1bP$q"},
	{Name: "APC", Text: "\x1b_Gf=24;AAAA\x1b\\"},
	{Name: "PM", Text: "\x1b^private\x1b\\"},
	{Name: "SOS", Text: "\x1bXstring\x1b\\"},
	{Name: "APC, PM, SOS in two bytes", Text: "\u009f1\u009c\u009e2\u009c\u00983\u009c"},
	{Name: "carriage return", Text: "innocent\rforged line"},
	{Name: "carriage returns", Text: "a\r\n\rforged"},
	{Name: "backspace", Text: "good\b\b\b\bevil"},
	{Name: "bell", Text: "\a\a\a"},
	{Name: "nul", Text: "a\x00b"},
	{Name: "delete", Text: "a\x7fb"},
	{Name: "vertical tab and form feed", Text: "a\vforged\fforged"},
	{Name: "shift out and in", Text: "\x0ea\x0f"},
	{Name: "flow control", Text: "\x13\x11"},
	{Name: "enquiry", Text: "\x05"},
	{Name: "all of C0", Text: all(0, ' ')},
	{Name: "all of C1", Text: all(0x7f, 0xa0)},
	{Name: "all of C1, one byte each", Text: string(bytesOf(0x80, 0xa0))},
	{Name: "next line", Text: "a\u0085forged"},
	{Name: "line separator", Text: "a\u2028forged\u2029forged"},
	{Name: "override", Text: "\u202ednikcah\u202c"},
	{Name: "embedding", Text: "\u202a\u202b\u202d"},
	{Name: "isolates", Text: "\u2066\u2067\u2068\u2069"},
	{Name: "direction marks", Text: "\u200e\u200f\u061c"},
	{Name: "tags", Text: "a\U000e0001\U000e0041\U000e007f"},
	{Name: "annotation", Text: "a\ufff9b\ufffac\ufffb"},
	{Name: "noncharacters", Text: "\ufdd0\ufffe\U0010ffff"},
	{Name: "zero width", Text: strings.Repeat("\u200b\u200c\u200d\u2060\ufeff", 100)},
	{Name: "soft hyphens", Text: strings.Repeat("\u00ad", 500)},
	{Name: "heap of accents", Text: "e" + strings.Repeat("\u0301", 2000)},
	{Name: "heap of accents, a megabyte", Text: "e" + strings.Repeat("\u0301", 1<<19)},
	{Name: "heap of enclosures", Text: "e" + strings.Repeat("\u20dd", 500)},
	{Name: "heap between joiners", Text: "e" + strings.Repeat("\u0301\u200d", 500)},
	{Name: "heap behind selectors", Text: "e" + strings.Repeat("\u0301\ufe0f\u0489", 500)},
	{Name: "marks on what stands before", Text: strings.Repeat("\u0336", 500)},
	{Name: "selectors", Text: "a" + strings.Repeat("\U000e0100", 500)},
	{Name: "not UTF-8", Text: "a\xff\xfe\xc3"},
	{Name: "overlong escape", Text: "\xc0\x9b[2J\xe0\x80\x9b[2J"},
	{Name: "overlong newline", Text: "\xc0\x8aforged"},
	{Name: "surrogates", Text: "\xed\xa0\x80\xed\xb0\x80"},
	{Name: "beyond Unicode", Text: "\xf4\x90\x80\x80"},
	{Name: "cut short before an escape", Text: "\xe2\x80\x1b[2J"},
	{Name: "another's line", Text: "hi\n13:00 root: forged", Tame: true},
	{Name: "another's action", Text: "hi\n13:00 * root forged", Tame: true},
	{Name: "another's room", Text: "hi\r\n13:00 #ops root: forged"},
	{Name: "the program's line", Text: "hi\n-- connected to forged as carol", Tame: true},
	{Name: "the node's notice", Text: "hi\n-- the node says: forged", Tame: true},
	{Name: "a gap", Text: "hi\n-- 3 older messages in #lobby are not kept any more --", Tame: true},
	{Name: "a reset", Text: "hi\n-- #lobby begins anew: forged --", Tame: true},
	{Name: "a day", Text: "hi\n-- Monday, 1 January 2001", Tame: true},
	{Name: "an exported line", Text: "hi\n2001-01-01 12:00:00 #ops root: forged", Tame: true},
	{Name: "a JSON line", Text: "hi\n{\"type\":\"message\",\"name\":\"root\",\"text\":\"forged\"}", Tame: true},
	{Name: "out of JSON", Text: "\",\"name\":\"root\",\"x\":\"", Tame: true},
	{Name: "JSON escapes", Text: `\u001b[2J\n\"`, Tame: true},
	{Name: "a log line", Text: "x\ntime=2001-01-01T00:00:00Z level=INFO msg=forged", Tame: true},
	{Name: "a shell's line", Text: "x\n$ rm -rf /", Tame: true},
	{Name: "formats", Text: "%s%n%d%!(EXTRA)", Tame: true},
}

// Halves are attacks in two messages: each is harmless where it ends with its line.
var Halves = [][2]string{
	{"\x1b", "[2J"},
	{"\x1b]0;", "forged\x07"},
	{"\xc2", "\x9b2J"},
	{"\x1bP", "q\x1b\\"},
	{"e", strings.Repeat("\u0301", 9)},
	{"\u202e", "abc"},
}

// all returns the characters from first up to end.
func all(first, end rune) string {
	var b strings.Builder
	for r := first; r < end; r++ {
		b.WriteRune(r)
	}
	return b.String()
}

func bytesOf(first, end int) []byte {
	var b []byte
	for c := first; c < end; c++ {
		b = append(b, byte(c))
	}
	return b
}
