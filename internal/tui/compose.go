package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// errTooMuch tells that what an editor left is more than one message holds. It is in composed.text all the same: see newPaste.
var errTooMuch = errors.New(chat.TooLong.Sentence())

// composed is what came of an editor: a text for a place, or why there is none.
type composed struct {
	place string
	text  string
	err   error
}

// compose hands the draft and the terminal to the user's editor: $VISUAL, $EDITOR, or what every system has. A composed message follows.
// The editor is told to end when ctx does.
func (in *input) compose(ctx context.Context) tea.Cmd {
	e, end := in.editor(ctx)
	return tea.Exec(e, end)
}

// editor returns the run of the editor, and what makes a composed message of its end.
func (in *input) editor(ctx context.Context) (*editor, tea.ExecCallback) {
	e := &editor{ctx: ctx, command: editorCommand(), text: in.draft().shown.text}
	place := in.place
	return e, func(err error) tea.Msg {
		if e.done {
			err = nil // whatever else went wrong, what was written is there
		}
		return composed{place, e.text, err}
	}
}

// composed takes what an editor left into the place that it is for. Its error is to be shown: then the draft is as it was.
func (in *input) composed(msg composed) error {
	text := strings.TrimSuffix(chat.CleanText(chat.Text, safe(msg.text)), "\n") // which editors add
	switch {
	case msg.err != nil:
		return msg.err
	case !fits(text):
		return errTooMuch
	case msg.place == in.place:
		if in.seek != nil {
			in.endSearch()
		}
		in.pop = popup{}
		in.edit(0, len(in.text), text)
	default:
		in.keep(msg.place, draft{shown: step{text, len(text)}})
	}
	return nil
}

// editor is a run of the user's editor on a file of its own, which is gone when it ends.
type editor struct {
	ctx     context.Context // of the run
	command string
	text    string // before, and once it is done after
	done    bool
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

func (e *editor) SetStdin(r io.Reader)  { e.stdin = r }
func (e *editor) SetStdout(w io.Writer) { e.stdout = w }
func (e *editor) SetStderr(w io.Writer) { e.stderr = w }

// Run runs the editor until it ends. It is done only when all of it went well.
func (e *editor) Run() error {
	words := splitWords(e.command)
	if len(words) == 0 {
		return fmt.Errorf("no editor: set EDITOR")
	}
	dir, err := os.MkdirTemp("", "chatnode-") // 0700: whatever else the editor leaves there is private too
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "message.md")
	if err := os.WriteFile(path, []byte(e.text), 0o600); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	cmd := exec.CommandContext(e.ctx, words[0], append(words[1:], path)...)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, grace // it may have a file to save
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.stdin, e.stdout, e.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %s failed, the draft is as it was: %w", words[0], err)
	}
	text, err := readAtMost(path, maxPaste)
	if err != nil {
		return fmt.Errorf("read what the editor left: %w", err)
	}
	e.text, e.done = text, true
	return nil
}

// readAtMost returns what a file holds, unless that is more than limit bytes.
func readAtMost(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return string(text), err
}

// editorCommand returns the command that the user edits with.
func editorCommand() string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if command := strings.TrimSpace(os.Getenv(name)); command != "" {
			return command
		}
	}
	if runtime.GOOS == "windows" {
		return "notepad"
	}
	return "vi"
}

// splitWords returns the words of a command: what stands between spaces, or between quotes. Nothing else is special, so that it is the same on
// all systems.
func splitWords(command string) (words []string) {
	var word strings.Builder
	var quote rune
	begun := false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case unicode.IsSpace(r):
			end()
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end()
	return words
}
