package tui

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// fakeEditor makes a script the user's editor. It gets the file's path as $1, behind the words of args.
func fakeEditor(t *testing.T, script, args string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the editor is a shell script")
	}
	path := filepath.Join(t.TempDir(), "an editor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", `"`+path+`"`+args)
	t.Setenv("TMPDIR", t.TempDir())
}

// runEditor runs the editor and returns what came of it.
func runEditor(t *testing.T, in *input) composed {
	t.Helper()
	e, end := in.editor(t.Context())
	return end(e.Run()).(composed)
}

func TestCompose(t *testing.T) {
	tests := map[string]struct {
		script string
		was    string
		want   string
		fails  bool
	}{
		"writes":              {`printf 'hello\n' > "$1"`, "", "hello", false},
		"adds":                {`printf ' there\n' >> "$1"`, "hello", "hello there", false},
		"leaves it":           {`true`, "hello\nthere", "hello\nthere", false},
		"empties it":          {`: > "$1"`, "hello", "", false},
		"one newline goes":    {`printf 'hello\n\n' > "$1"`, "", "hello\n", false},
		"CRLF":                {`printf 'one\r\ntwo\r\n' > "$1"`, "", "one\ntwo", false},
		"hostile":             {`printf '\033[2Jx\377\n' > "$1"`, "", "[2Jx\ufffd", false},
		"replaces the file":   {`printf 'new\n' > "$1.tmp" && mv "$1.tmp" "$1"`, "old", "new", false},
		"fails":               {`printf 'x' > "$1"; exit 3`, "hello", "hello", true},
		"takes the file away": {`rm "$1"`, "hello", "hello", true},
		"leaves a directory":  {`rm "$1" && mkdir "$1"`, "hello", "hello", true},
		"too long":            {`head -c 8193 /dev/zero | tr '\0' x > "$1"`, "hello", "hello", true},
		"far too long":        {`head -c 1000000 /dev/zero | tr '\0' x > "$1"`, "hello", "hello", true},
		"too many lines":      {`yes | head -n 65 > "$1"`, "hello", "hello", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fakeEditor(t, tt.script, "")
			in := inputOf(t, tt.was+"|")
			err := in.composed(runEditor(t, in))
			if in.value() != tt.want || (err != nil) != tt.fails {
				t.Errorf("the draft is %q, error %v", in.value(), err)
			}
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v behind, error %v", left, err)
			}
			checkInput(t, in, 30, 5)
		})
	}
}

// composer is a program that does nothing but compose.
type composer struct {
	cmd tea.Cmd
	end composed
}

func (c *composer) Init() tea.Cmd  { return c.cmd }
func (c *composer) View() tea.View { return tea.NewView("") }

func (c *composer) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if end, ok := msg.(composed); ok {
		c.end = end
		return c, tea.Quit
	}
	return c, nil
}

// TestComposeInProgram: the whole way, through a program that lends its terminal.
func TestComposeInProgram(t *testing.T) {
	fakeEditor(t, `printf 'hello\n' > "$1"`, "")
	in := newInput()
	c := &composer{cmd: in.compose(t.Context())}
	if _, err := tea.NewProgram(c, tea.WithContext(t.Context()), tea.WithInput(nil), tea.WithOutput(io.Discard), tea.WithoutRenderer(), tea.WithoutSignals()).Run(); err != nil {
		t.Fatal(err)
	}
	if err := in.composed(c.end); err != nil || in.value() != "hello" {
		t.Errorf("the draft is %q, error %v", in.value(), err)
	}
}

// TestComposeIsPrivate: nobody else can read what is composed.
func TestComposeIsPrivate(t *testing.T) {
	fakeEditor(t, `ls -l "$1" | cut -c1-10 > "$1.mode"; ls -ld "$(dirname "$1")" | cut -c1-10 >> "$1.mode"; mv "$1.mode" "$1"`, "")
	in := inputOf(t, "secret|")
	if err := in.composed(runEditor(t, in)); err != nil || in.value() != "-rw-------\ndrwx------" {
		t.Errorf("the file and its folder are %q, error %v", in.value(), err)
	}
}

func TestComposeWithArguments(t *testing.T) {
	fakeEditor(t, `printf '%s|%s|%s' "$1" "$2" "$(basename "$3")" > "$3"`, ` -w "a b"`)
	in := newInput()
	if err := in.composed(runEditor(t, in)); err != nil || in.value() != "-w|a b|message.md" {
		t.Errorf("its arguments are %q, error %v", in.value(), err)
	}
}

func TestComposeWithoutEditor(t *testing.T) {
	for _, editor := range []string{"/no/such/editor", `""`, `"`, "/dev/null -x"} {
		t.Setenv("VISUAL", editor)
		t.Setenv("TMPDIR", t.TempDir())
		in := inputOf(t, "hello|")
		if err := in.composed(runEditor(t, in)); err == nil || in.value() != "hello" {
			t.Errorf("editor %q: draft %q, error %v", editor, in.value(), err)
		}
		if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
			t.Errorf("editor %q leaves %v behind", editor, left)
		}
	}
}

func TestEditorCommand(t *testing.T) {
	usual := "vi"
	if runtime.GOOS == "windows" {
		usual = "notepad"
	}
	for _, tt := range []struct{ visual, editor, want string }{{"code -w", "ed", "code -w"}, {"", "ed", "ed"}, {" ", "ed", "ed"}, {"", "", usual}} {
		t.Setenv("VISUAL", tt.visual)
		t.Setenv("EDITOR", tt.editor)
		if got := editorCommand(); got != tt.want {
			t.Errorf("VISUAL %q, EDITOR %q: %q, want %q", tt.visual, tt.editor, got, tt.want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for command, want := range map[string][]string{
		"vi":                   {"vi"},
		" code  -w\t":          {"code", "-w"},
		`"/my apps/ed" -w`:     {"/my apps/ed", "-w"},
		`emacsclient -t -a ""`: {"emacsclient", "-t", "-a", ""},
		`ed 'a "b" c'd"'"`:     {"ed", `a "b" cd'`},
		`C:\Program\ed.exe`:    {`C:\Program\ed.exe`},
		`"never closed and`:    {"never closed and"},
		"":                     nil,
		" \t\n":                nil,
	} {
		if diff := cmp.Diff(want, splitWords(command)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", command, diff)
		}
	}
}

// TestComposedInSpite: what an editor has written is there, though the terminal did not come back as it should.
func TestComposedInSpite(t *testing.T) {
	fakeEditor(t, `printf 'hello\n' > "$1"`, "")
	in := newInput()
	e, end := in.editor(t.Context())
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	if err := in.composed(end(errors.New("restore")).(composed)); err != nil || in.value() != "hello" {
		t.Errorf("the draft is %q, error %v", in.value(), err)
	}
}

func TestReadAtMost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]bool{4: false, 5: true, 6: true} {
		if text, err := readAtMost(path, limit); (err == nil) != want || want && text != "12345" {
			t.Errorf("at most %d: %q, %v", limit, text, err)
		}
	}
}

// TestComposedForAnotherPlace: what comes back goes where it was begun, whatever the user did meanwhile.
func TestComposedForAnotherPlace(t *testing.T) {
	in := newInput()
	in.switchTo("#a")
	in.switchTo("#b")
	press(t, in, "'here")
	if err := in.composed(composed{place: "#a", text: "there\n"}); err != nil || in.value() != "here" {
		t.Errorf("here is %q, error %v", in.value(), err)
	}
	if in.switchTo("#a"); withCursor(in) != "there|" {
		t.Errorf("there is %q", withCursor(in))
	}
	if err := in.composed(composed{place: "#b", text: "\n"}); err != nil {
		t.Error(err)
	}
	if in.switchTo("#b"); !in.isEmpty() {
		t.Errorf("here is %q", in.value())
	}
}

// TestComposedTooMuch: what no message can hold is not lost, but can be sent in parts.
func TestComposedTooMuch(t *testing.T) {
	msg := composed{text: strings.Repeat("a line\n", 100)}
	if err := newInput().composed(msg); !errors.Is(err, errTooMuch) || !strings.Contains(err.Error(), "64 lines") {
		t.Errorf("error %v", err)
	}
	if p := newPaste(msg.text); !p.tooLong || len(p.parts) != 2 {
		t.Errorf("as a paste it makes %d parts", len(p.parts))
	}
	if err := newInput().composed(composed{text: strings.Repeat("x", chat.MaxText) + "\r\n"}); err != nil {
		t.Errorf("what just fits is refused: %v", err)
	}
}

// TestComposeUndo: undo brings back what was there before the editor.
func TestComposeUndo(t *testing.T) {
	in := inputOf(t, "bef|ore")
	if err := in.composed(composed{text: "after\n"}); err != nil {
		t.Fatal(err)
	}
	if press(t, in, "ctrl+_"); withCursor(in) != "bef|ore" {
		t.Errorf("undo brings %q", withCursor(in))
	}
}

// A program that is told to end ends its editor, which would keep it for as long as it likes otherwise.
func TestComposeEnds(t *testing.T) {
	fakeEditor(t, `printf 'half' > "$1"; echo up; exec sleep 1000`, "")
	in := inputOf(t, "hello|")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	e, done := in.editor(ctx)
	up, out := io.Pipe()
	e.SetStdout(out)
	go func() { // ends with the editor's first line
		_, _ = up.Read(make([]byte, 10))
		end()
	}()
	if err := in.composed(done(e.Run()).(composed)); err == nil || in.value() != "hello" {
		t.Errorf("the draft is %q, error %v", in.value(), err)
	}
}
