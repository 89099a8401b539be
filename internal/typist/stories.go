package typist

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the full screen says, in one place: the stories know of its words no more than these.
const (
	titleText    = "plant" // of the node
	promptText   = "> "
	pendingText  = "…"               // behind what is not known to be kept
	unlinkedText = "no link, trying" // while there is none; then comes when
	waitsText    = "1 message waits"
	missedText   = "while there was no link" // on the rule above what was missed
	pastedText   = "30 lines pasted:"
	oneText      = "Enter sends it as one message"
	awayText     = "(away)"
	foundText    = "↑ and ↓ choose a message, Enter goes there"
	pastText     = "in the past; End goes to the newest"
	fetchingText = "fetching older messages"
)

// said is a row that shows who said a text: "alice: hello" or "alice │ hello".
func said(name, text string) *regexp.Regexp {
	return regexp.MustCompile(regexp.QuoteMeta(name) + "[: │]+" + regexp.QuoteMeta(text))
}

// WaitSaid waits until a text stands on the screen with the name of who said it before it, as the first of theirs does.
func (y *Typist) WaitSaid(name, text string) {
	y.Helper()
	row := said(name, text)
	y.WaitFor(fmt.Sprintf("%q by %s", text, name), func(lines []string) bool { return slices.ContainsFunc(lines, row.MatchString) })
}

// JoinAndTalk: two people see each other and what each says, in the same order; what is sent is kept before long.
func JoinAndTalk(t testing.TB, home Home) {
	w := settle(t, home)
	alice := w.sits("alice", Desk{Width: 120, Height: 30})
	bob := w.sits("bob", Desk{Width: 80, Height: 24})
	alice.Wait(" bob")
	alice.Type("hello Bob 小林 👍\n")
	bob.WaitSaid("alice", "hello Bob 小林 👍")
	bob.Type("/me waves\n")
	for _, y := range []*Typist{alice, bob} {
		y.WaitFor("both messages, kept", func(lines []string) bool {
			return inOrder(lines, "hello Bob", "waves") && times(lines, "waves "+pendingText)+times(lines, "👍 "+pendingText) == 0
		})
	}
	bob.Type("/join ops\n")
	bob.Wait("#ops")
	bob.Press("alt+1")
	bob.WaitSaid("alice", "hello Bob")
	bob.Type("/quit\n")
	if code := bob.End(); code != 0 {
		t.Errorf("bob's program ends with %d", code)
	}
	if left := bob.Grid().Left(); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// DirectFromAway: somebody who is away writes to one who looks elsewhere: it rings, and a key leads there.
func DirectFromAway(t testing.TB, home Home) {
	w := settle(t, home)
	carol := w.sits("carol", Desk{Width: 120, Height: 30})
	bob := w.sits("bob", Desk{Width: 80, Height: 24})
	bob.Type("/away fishing\n")
	carol.Wait("bob " + awayText)
	carol.Focus(false)
	bells := carol.Grid().Bells()
	bob.Type("/msg carol are you there?\n")
	carol.WaitFor("a mark at @bob", func(lines []string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return regexp.MustCompile(`@bob +1!`).MatchString(line) })
	})
	carol.await("bell, notification and title", func() bool { // which come behind the frame
		g := carol.Grid()
		return g.Bells() > bells && slices.ContainsFunc(g.Notes(), said("bob", "are you there?").MatchString) && strings.HasPrefix(g.Title(), "(1!)")
	})
	if notes := carol.Grid().Notes(); len(notes) != 1 {
		t.Errorf("it notified of %q", notes)
	}
	carol.Focus(true)
	carol.Press("alt+a")
	carol.WaitSaid("bob", "are you there?")
	carol.Type("here\n")
	bob.WaitFor("the answer", func(lines []string) bool { return times(lines, "here") > 0 })
}

// Small: all of it works on 40 by 10, without a list of rooms or of people, and grows with its window.
func Small(t testing.TB, home Home) {
	w := settle(t, home)
	carol := w.sits("carol", Desk{Width: 40, Height: 10})
	carol.Type("this is a message that needs more than one line of 小林小林小林小林小林 here\n")
	carol.Wait("this is a message", "here")
	w.says("bob", room, "one", "two", "three", "four", "five", "six", "carol: seven")
	carol.Wait("carol: seven", strings.TrimSpace("carol"+promptText))
	carol.Press("pgup", "pgup") // so many that a line which goes by itself moves nothing
	carol.Wait("this is a message")
	carol.Press("end")
	carol.Wait("seven")
	carol.Type("half a thought")
	carol.Wait("carol" + promptText + "half a thought")
	carol.Resize(120, 30)
	carol.Wait("1 #"+room, "this is a message that needs more", "half a thought")
	carol.Resize(40, 10)
	carol.Wait("seven", "half a thought")
	if lines := carol.Screen(); len(lines) != 10 {
		t.Errorf("there are %d lines", len(lines))
	}
}

// PasteOfLines: a paste of 30 lines is not sent before a question is answered, and then as one message.
func PasteOfLines(t testing.TB, home Home) {
	w := settle(t, home)
	carol := w.sits("carol", Desk{Width: 100, Height: 50})
	lines := numbered(30)
	carol.Paste(strings.Join(lines, "\n") + "\n")
	carol.Wait(pastedText, oneText)
	carol.Press("esc")
	carol.WaitGone(pastedText)
	carol.Paste(strings.Join(lines, "\n"))
	carol.Wait(pastedText)
	carol.Press("enter")
	bob := w.sits("bob", Desk{Width: 100, Height: 50})
	for _, y := range []*Typist{carol, bob} {
		y.WaitFor("the lines, once and in order", func(screen []string) bool {
			return inOrder(screen, lines...) && times(screen, "line 0001") == 1
		})
	}
	if log := w.log(); len(log) != 1 || log[0] != strings.Join(lines, "\n") {
		t.Errorf("the log has %q", log)
	}
}

// LinkLostWhileTyping: without a link one types on; what is sent waits, and goes out once, below what was missed.
func LinkLostWhileTyping(t testing.TB, home Home) {
	w := settle(t, home)
	direct := *w
	bob := w.sits("bob", Desk{Width: 80, Height: 24})
	proxy := w.behind()
	carol := w.sits("carol", Desk{Width: 120, Height: 30})
	carol.Type("half a thou")
	carol.Wait("half a thou")
	proxy.Retarget("127.0.0.1:1") // nobody listens there
	proxy.Reset()
	carol.Wait(unlinkedText)
	carol.Type("ght\n")
	carol.WaitSaid("carol", "half a thought")
	carol.Wait(waitsText)
	carol.Type("and more")
	direct.says("alice", room, "meanwhile")
	bob.WaitSaid("alice", "meanwhile")
	proxy.Retarget(direct.address)
	for _, y := range []*Typist{carol, bob} {
		y.WaitFor("the thought below what was missed, once", func(lines []string) bool {
			return inOrder(lines, "meanwhile", "half a thought") && times(lines, "half a thought") == 1 && times(lines, "thought "+pendingText) == 0
		})
	}
	carol.WaitGone(unlinkedText, waitsText)
	carol.Wait(missedText, "carol"+promptText+"and more")
}

// PageUp: 3,000 messages can be read back to the first, and nothing is jumped over on the way.
func PageUp(t testing.TB, home Home) {
	const all = 3000
	w := settle(t, home)
	w.says("bob", room, numbered(all)...)
	carol := w.sits("carol", Desk{Width: 80, Height: 60})
	carol.WaitFor("a screen full of the last messages", func(lines []string) bool {
		return times(lines, fmt.Sprintf("line %04d", all)) > 0 && len(linesShown(lines[:1])) > 0
	})
	shown := linesShown(carol.Screen())
	for pages, first := 0, shown[0]; first > 1; pages++ {
		if pages > all {
			t.Fatalf("after %d pages it shows %v", pages, shown)
		}
		carol.Press("pgup")
		carol.barrier()
		carol.WaitGone(fetchingText)
		shown = linesShown(carol.Screen())
		if len(shown) == 0 {
			t.Fatalf("no message is shown:\n%s", carol.picture())
		}
		for i := range shown {
			if shown[i] != shown[0]+i {
				t.Fatalf("%d stands below %d", shown[i], shown[i-1])
			}
		}
		if shown[0] > first || shown[len(shown)-1] < first-1 {
			t.Fatalf("from %d on it jumps to %d to %d", first, shown[0], shown[len(shown)-1])
		}
		first = shown[0]
	}
	carol.Press("end")
	carol.Wait(fmt.Sprintf("line %04d", all))
}

var numberedLine = regexp.MustCompile(`line (\d{4})`)

// linesShown returns the numbers of the lines on a screen.
func linesShown(lines []string) (shown []int) {
	for _, line := range lines {
		if match := numberedLine.FindStringSubmatch(line); match != nil {
			n, _ := strconv.Atoi(match[1]) // four digits
			shown = append(shown, n)
		}
	}
	return shown
}

// barrier returns when all that was typed has been taken in and drawn.
func (y *Typist) barrier() {
	y.Helper()
	y.Type("zz")
	y.Wait(promptText + "zz")
	y.Press("ctrl+u")
	y.WaitGone(promptText + "zz")
}

// SearchAndJump: a message that was said long ago is found, and shown with what stands around it.
func SearchAndJump(t testing.TB, home Home) {
	w := settle(t, home)
	lines := numbered(600)
	lines[99] = "line 0100 with the needle"
	w.says("bob", room, lines...)
	w.indexed("needle")
	carol := w.sits("carol", Desk{Width: 100, Height: 30})
	carol.Wait("line 0600")
	carol.Type("/search needle\n")
	carol.Wait("with the needle", foundText)
	carol.Press("enter")
	carol.Wait("line 0099", "line 0100 with the needle", "line 0101", pastText)
	carol.Press("pgdown")
	carol.barrier()
	if shown := linesShown(carol.Screen()); len(shown) == 0 || shown[len(shown)-1] < 110 {
		t.Errorf("a page down from 100 it shows %v", shown)
	}
	carol.Press("end")
	carol.Wait("line 0600")
	carol.WaitGone(pastText)
}

// KilledWithUnsent: a client that is killed with five messages unsent sends them when it starts again: each once, in order.
func KilledWithUnsent(t testing.TB, home Home) {
	w := settle(t, home)
	direct := *w
	bob := direct.sits("bob", Desk{Width: 80, Height: 24})
	proxy := w.behind()
	desk := Desk{Width: 100, Height: 30, Home: t.TempDir()}
	carol := w.sits("carol", desk)
	carol.Type("kept\n")
	bob.WaitSaid("carol", "kept")
	carol.WaitGone(pendingText)
	proxy.Retarget("127.0.0.1:1") // nobody listens there
	proxy.Reset()
	carol.Wait(unlinkedText)
	texts := numbered(5)
	for _, text := range texts {
		carol.Type(text + "\n")
	}
	carol.Wait("line 0005", "5 messages wait")
	carol.Kill()
	proxy.Retarget(direct.address)
	carol = w.sits("carol", desk)
	for _, y := range []*Typist{carol, bob} {
		y.WaitFor("the five, once and in order", func(lines []string) bool {
			return inOrder(lines, append([]string{"kept"}, texts...)...) && len(linesShown(lines)) == 5 && times(lines, " "+pendingText) == 0
		})
	}
}

// Suspended: Ctrl-Z gives the terminal back as it was, and fg goes on with all that was there and what has come.
func Suspended(t testing.TB, home Home) {
	w := settle(t, home)
	carol := w.sits("carol", Desk{Width: 100, Height: 30})
	carol.Type("half a thought")
	carol.Wait("half a thought")
	for n := range 2 {
		carol.Press("ctrl+z")
		carol.Stopped()
		if left := carol.Grid().Left(); len(left) > 0 {
			t.Errorf("it has stopped and leaves %q", left)
		}
		w.says("bob", room, fmt.Sprintf("while you slept %d", n))
		carol.Resize(90+n, 20)
		carol.Continue()
		carol.Wait(fmt.Sprintf("while you slept %d", n), "carol"+promptText+"half a thought")
	}
	carol.Press("enter")
	carol.WaitSaid("carol", "half a thought")
	carol.WaitFor("the thought, kept", func(lines []string) bool {
		return times(lines, "half a thought") == 1 && times(lines, "thought "+pendingText) == 0
	})
}

// TwoOfOneKey: one person at two terminals is one person: both see all, and nothing twice.
func TwoOfOneKey(t testing.TB, home Home) {
	w := settle(t, home)
	desk := Desk{Width: 120, Height: 30, Home: t.TempDir()}
	bob := w.sits("bob", Desk{Width: 120, Height: 30})
	one := w.sits("carol", desk)
	other := w.sits("carol", desk)
	one.Type("from the one\n")
	other.WaitSaid("carol", "from the one")
	other.Type("from the other\n")
	bob.Wait("from the other")
	for _, y := range []*Typist{one, other} {
		y.WaitFor("both messages once, and one carol", func(lines []string) bool {
			return inOrder(lines, "from the one", "from the other") && times(lines, "from the") == 2 && people(lines, "carol") == 1 && times(lines, "carol~") == 0
		})
	}
	other.Type("/quit\n")
	if code := other.End(); code != 0 {
		t.Errorf("one of two ends with %d", code)
	}
	one.Type("still here\n")
	bob.Wait("still here")
}

// people returns how often somebody is listed at the right.
func people(lines []string, name string) (n int) {
	for _, line := range lines {
		if strings.HasSuffix(line, "│ "+name) {
			n++
		}
	}
	return n
}
