package typist

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"chatnode/internal/screen"
)

// echoVariable has this binary be a program that shows what it is told.
const echoVariable = "TYPIST_ECHO"

func TestMain(m *testing.M) {
	if os.Getenv(echoVariable) != "" {
		if _, err := tea.NewProgram(echo{}).Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(7)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// echo shows its size and the last things that it was told. It stops at Ctrl-Z and ends at Ctrl-Q.
type echo struct {
	width, height int
	colours       string
	told          []string
}

func (e echo) Init() tea.Cmd { return tea.RequestBackgroundColor }

func (e echo) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		e.width, e.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		e.colours = map[bool]string{true: "dark", false: "light"}[msg.IsDark()]
	case tea.FocusMsg:
		e.told = append(e.told, "focus")
	case tea.BlurMsg:
		e.told = append(e.told, "blur")
	case tea.ResumeMsg:
		e.told = append(e.told, "resumed")
	case tea.PasteMsg:
		e.told = append(e.told, fmt.Sprintf("paste %q", msg.Content))
	case tea.KeyPressMsg:
		e.told = append(e.told, "key "+msg.String())
		switch msg.String() {
		case "ctrl+q":
			return e, tea.Quit
		case "ctrl+z":
			return e, tea.Suspend
		}
	}
	return e, nil
}

func (e echo) View() tea.View {
	told := e.told[max(0, len(e.told)-5):]
	v := tea.NewView(fmt.Sprintf("%d by %d, %s\n小林\n%s", e.width, e.height, e.colours, strings.Join(told, "\n")))
	v.AltScreen, v.ReportFocus, v.WindowTitle = true, true, "echo"
	return v
}

// sit starts the echo program.
func sit(t *testing.T, desk Desk) *Typist {
	t.Helper()
	desk.Env = append(desk.Env, echoVariable+"=1")
	y := Start(t, desk)
	y.Wait(" by ", "小林")
	return y
}

func TestTypist(t *testing.T) {
	y := sit(t, Desk{})
	y.Wait("80 by 24, dark")
	y.Type("a小\n")
	y.Wait("key a", "key 小", "key enter")
	y.Paste("two\nlines\x1b[2J")
	y.Wait(`paste "two\rlines[2J"`)
	y.Focus(false)
	y.Wait("blur")
	y.Focus(true)
	y.Wait("focus")
	y.Resize(40, 10)
	y.Wait("40 by 10")
	if got := y.Screen(); len(got) != 10 || got[1] != "小林" {
		t.Errorf("the screen is %q", got)
	}
	if !y.Grid().Alt() || y.Grid().Title() != "echo" {
		t.Error("that is not the alternate screen with its title")
	}
	for range 5 {
		y.Press("x")
	}
	y.WaitGone("blur", "paste")
	y.Press("ctrl+q")
	if code := y.End(); code != 7 {
		t.Errorf("it ends with %d, want 7", code)
	}
	if left := y.Grid().Left(); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

func TestKinds(t *testing.T) {
	y := sit(t, Desk{Width: 120, Height: 50, Kind: screen.Kind{Light: true, Plain: true}})
	y.Wait("120 by 50, light")
}

// Every key comes out of a real terminal's input as Bubble Tea calls it.
func TestKeys(t *testing.T) {
	y := sit(t, Desk{})
	names := []string{
		"a", "Z", "+", "enter", "tab", "backspace", "up", "down", "left", "right", "home", "end", "insert", "delete", "pgup", "pgdown",
		"f1", "f4", "f5", "f7", "f8", "f12", "shift+tab", "ctrl+a", "ctrl+n", "ctrl+space", "ctrl+_", "alt+1", "alt+enter", "alt+a", "alt+shift+a", "alt++", "alt+小",
		"alt+up", "alt+left", "ctrl+right", "shift+up", "alt+backspace", "ctrl+alt+n", "ctrl+shift+up", "shift+f5", "alt+f1", "ctrl+pgup", "esc",
	}
	for _, name := range names {
		y.Press(name)
		y.Wait("key " + name)
	}
}

func TestEncoded(t *testing.T) {
	for key, want := range map[string]string{
		"up": "\x1bOA", "alt+up": "\x1b[1;3A", "home": "\x1bOH", "shift+tab": "\x1b[Z", "pgup": "\x1b[5~", "alt++": "\x1b+", "shift+a": "A", "space": " ",
	} {
		if got, known := encoded(key, true); got != want || !known {
			t.Errorf("%s is sent as %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"", "ctrl", "ctrl+", "hyper+a", "ctrl+小", "ab", "alt+ab", "alt+", "ctrl+1", "++"} {
		if got, known := encoded(key, false); known {
			t.Errorf("%q is sent as %q", key, got)
		}
	}
}

// Ctrl-Z stops a program as at a shell's prompt, and it comes back where it was; so as often as it likes.
func TestStopAndContinue(t *testing.T) {
	y := sit(t, Desk{})
	for n := range 3 {
		y.Press("ctrl+z")
		y.Stopped()
		if left := y.Grid().Left(); len(left) > 0 {
			t.Errorf("it has stopped and leaves %q", left)
		}
		y.Resize(60+n, 20)
		y.Continue()
		y.Wait("resumed", fmt.Sprintf("%d by 20", 60+n))
		key := string(rune('a' + n))
		y.Press(key)
		y.Wait("key " + key)
	}
	y.Press("ctrl+q")
	if code := y.End(); code != 7 {
		t.Errorf("it ends with %d, want 7", code)
	}
}

func TestEnds(t *testing.T) {
	y := sit(t, Desk{})
	y.Kill()
	if code := y.End(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("killed, it ends with %d", code)
	}
	y = sit(t, Desk{})
	y.Signal(syscall.SIGTERM)
	if code := y.End(); code != 1 && code != 7 {
		t.Errorf("asked to end, it ends with %d", code)
	}
	y = sit(t, Desk{})
	y.Press("ctrl+z")
	y.Stopped()
	y.Kill()
	if code := y.End(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("killed while it was stopped, it ends with %d", code)
	}
	sit(t, Desk{}) // ended with the test
	stopped := sit(t, Desk{})
	stopped.Press("ctrl+z")
	stopped.Stopped() // and so this one
}

// A program that is no full-screen one: the system's own line editing stands between.
func TestLines(t *testing.T) {
	y := Start(t, Desk{Program: "/bin/sh", Env: []string{"WORD=hello"}}, "-c", `echo "$WORD $TERM"; read -r line; echo "<$line>"; exit 3`)
	y.Wait("hello xterm-256color")
	y.Paste("one two")
	y.Focus(true)
	y.Press("enter")
	y.Wait("<one two>")
	if code := y.End(); code != 3 {
		t.Errorf("it ends with %d, want 3", code)
	}
	y = Start(t, Desk{Program: "/nowhere/at/all"})
	if code := y.End(); code != 127 {
		t.Errorf("no program ends with %d, want 127", code)
	}
}

// failure is a test that notes how it fails.
type failure struct {
	testing.TB
	text string
}

func (f *failure) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

// What is waited for and can't come any more is a failure at once, with the screen in it.
func TestFailureShowsTheScreen(t *testing.T) {
	y := Start(t, Desk{Program: "/bin/sh"}, "-c", "echo so far")
	f := &failure{TB: t}
	y.TB = f
	defer func() {
		if y.TB = t; recover() != any(f) {
			t.Error("it does not fail")
		}
		for _, part := range []string{`"so good"`, "| so far", "ended with 0"} {
			if !strings.Contains(f.text, part) {
				t.Errorf("the failure does not say %q: %s", part, f.text)
			}
		}
	}()
	y.Wait("so far")
	y.Wait("so far", "so good")
}

func TestPatience(t *testing.T) {
	if p := patience(); p != 20*time.Second && p != 60*time.Second {
		t.Errorf("patience is %v", p)
	}
}
