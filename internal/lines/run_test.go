package lines

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/talk"

	"github.com/google/go-cmp/cmp"
)

const connected = "-- connected to Lab as carol\n"

func TestPipeSendsAndEnds(t *testing.T) {
	for name, c := range map[string]struct{ in, out, err string }{
		"nothing":       {"", "", ""},
		"one line":      {"hi\n", "12:00 carol: hi\n", ""},
		"no newline":    {"hi", "12:00 carol: hi\n", ""},
		"CRLF":          {"hi\r\nho\r\n", "12:00 carol: hi\n12:00 carol: ho\n", ""},
		"CR inside":     {"a\rb\n", "12:00 carol: ab\n", ""},
		"empty lines":   {"\n \n\t\r\nhi\n\n", "12:00 carol: hi\n", ""},
		"NUL":           {"a\x00b\n", "12:00 carol: ab\n", ""},
		"mark of bytes": {"\xef\xbb\xbfhi\n", "12:00 carol: hi\n", ""},
		"verbatim":      {"/quit\n//x\n", "12:00 carol: /quit\n12:00 carol: //x\n", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.answers = true
			r := start(t, d, nil)
			r.typed(c.in)
			r.eof()
			if err := r.result(); err != nil {
				t.Errorf("%s: Run: %v", name, err)
			}
			r.wants(c.out, connected+c.err)
		})
	}
}

func TestPipeRefusesLinesHere(t *testing.T) {
	long := strings.Repeat("x", chat.MaxText+1)
	for name, c := range map[string]struct{ in, err string }{
		"too long":     {"ok\n" + long + "\nok\n", "-- line 2: " + chat.TooLong.Sentence() + "\n"},
		"long at end":  {"ok\nok\n" + long, "-- line 3: " + chat.TooLong.Sentence() + "\n"},
		"not UTF-8":    {"ok\n\xff\xfe\nok\n", "-- line 2: " + chat.BadText.Sentence() + "\n"},
		"half a rune":  {"\xc3\nok\nok\n", "-- line 1: " + chat.BadText.Sentence() + "\n"},
		"behind empty": {"\n\nok\n" + long + "\n\nok", "-- line 4: " + chat.TooLong.Sentence() + "\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.answers = true
			r := start(t, d, nil)
			r.typed(c.in)
			r.eof()
			wantsEnd(t, r.result(), talk.ErrNotKept, "1 message was refused")
			if r.out.String() != strings.Repeat("12:00 carol: ok\n", 2) || r.err.String() != connected+c.err {
				t.Errorf("%s: printed %q and %.200q", name, r.out.String(), r.err.String())
			}
		})
	}
}

func TestLineOfExactlyTheLimitIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.answers = true
		r := start(t, d, nil)
		r.typed(strings.Repeat("x", chat.MaxText) + "\r\n")
		r.eof()
		if err := r.result(); err != nil || len(d.texts()) != 1 {
			t.Errorf("Run: %v, sent %d", err, len(d.texts()))
		}
	})
}

func TestPipeWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, nil)
		r.typed("one\ntwo\n")
		r.eof()
		r.goesOn()
		d.keep(1)
		r.goesOn()
		r.wants("12:00 carol: one\n", connected)
		d.refuse(2, chat.RoomRate, 1500*time.Millisecond)
		wantsEnd(t, r.result(), talk.ErrNotKept, "1 message was refused")
		r.wants("12:00 carol: one\n", connected+"-- line 2: "+chat.RoomRate.Sentence()+"; it may be taken in 2 s\n")
	})
}

func TestPipeReadsOnlyAsThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.cap = 2
		r := start(t, d, nil)
		r.typed("1\n")
		r.typed("2\n")
		r.typed("3\n")
		if n := len(d.texts()); n != 2 {
			t.Fatalf("%d sent, want 2", n)
		}
		d.keep(1)
		synctest.Wait()
		if n := len(d.texts()); n != 3 {
			t.Fatalf("%d sent, want 3", n)
		}
		r.stop()
		pass(grace)
		wantsEnd(t, r.result(), talk.ErrNotKept, "2 messages are not known to be kept")
	})
}

func TestWhole(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
		err  string
	}{
		"lines":      {"a\r\nb\n\n", []string{"lobby text a\nb"}, ""},
		"nothing":    {"", nil, ""},
		"blank":      {"\n\n", nil, ""},
		"slash":      {"/quit\n", []string{"lobby text /quit"}, ""},
		"too long":   {strings.Repeat("x", chat.MaxText+1), nil, "-- the input: " + chat.TooLong.Sentence() + "\n"},
		"far longer": {strings.Repeat("x", 10*chat.MaxText), nil, "-- the input: " + chat.TooLong.Sentence() + "\n"},
		"many lines": {strings.Repeat("x\n", chat.MaxLines+1), nil, "-- the input: " + chat.TooLong.Sentence() + "\n"},
		"the most":   {strings.Repeat("x\r\n", chat.MaxLines), []string{"lobby text " + strings.TrimSpace(strings.Repeat("x\n", chat.MaxLines))}, ""},
		"not UTF-8":  {"\xff", nil, "-- the input: " + chat.BadText.Sentence() + "\n"},
	} {
		for _, terminal := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				d.answers = true
				r := start(t, d, func(cfg *Config) { cfg.Whole = true; cfg.In = strings.NewReader(c.in); cfg.Terminal = terminal })
				err := r.result()
				if failed := c.err != "" && !terminal; failed != errors.Is(err, talk.ErrNotKept) {
					t.Errorf("%s: Run: %v", name, err)
				}
				if diff := cmp.Diff(c.want, d.texts()); diff != "" {
					t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
				}
				if got := strings.Replace(r.err.String(), connected, "", 1); !terminal && got != c.err {
					t.Errorf("%s: stderr is %q", name, got)
				}
			})
		}
	}
}

func TestFollowGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.answers = true
		r := start(t, d, func(cfg *Config) { cfg.Follow = true })
		r.typed("hi\n")
		r.eof()
		pass(time.Hour)
		r.goesOn()
		r.told(client.Message{Room: "lobby", Name: "carol", Kind: chat.Text, Text: "hi", Time: noon, Own: true},
			client.Message{Room: "lobby", Name: "bob", Kind: chat.Text, Text: "ho", Time: noon})
		r.wants("12:00 carol: hi\n12:00 bob: ho\n", connected)
		r.stop()
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestFollowPrintsOwnMessagesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.answers = true
		r := start(t, d, func(cfg *Config) { cfg.Follow, cfg.Commands = true, true })
		r.typed("/msg #ops hi\n/msg bob ho\nhere\n")
		r.wants("12:00 #ops carol: hi\n", connected)
		r.typed("/quit\n")
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestPipePrintsNothingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, nil)
		r.told(client.Message{Room: "lobby", Name: "bob", Kind: chat.Text, Text: "ho", Time: noon})
		r.wants("", connected)
		r.eof()
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestEndings(t *testing.T) {
	lost := client.LinkDown{Err: errors.New("reset by peer"), RetryIn: 2100 * time.Millisecond}
	refused := &client.RefusedError{Code: chat.Full, Text: "come back later"}
	type step func(r *running, d *desk)
	var (
		eof   step = func(r *running, _ *desk) { r.eof() }
		stop  step = func(r *running, _ *desk) { r.stop() }
		say   step = func(r *running, _ *desk) { r.typed("hi\n") }
		quit  step = func(r *running, _ *desk) { r.typed("/quit\n") }
		down  step = func(r *running, _ *desk) { r.told(lost) }
		upper step = func(r *running, _ *desk) { r.told(up()) }
		keep  step = func(_ *running, d *desk) { d.keep(1) }
		fail  step = func(_ *running, d *desk) { d.end(refused) }
		burst step = func(_ *running, d *desk) { d.end(errors.New("no randomness")) }
		wait       = func(d time.Duration) step { return func(*running, *desk) { pass(d) } }
	)
	terminal := func(c *Config) { c.Terminal = true }
	follow := func(c *Config) { c.Follow = true }
	for name, c := range map[string]struct {
		change func(*Config)
		noLink bool
		steps  []step
		want   error // talk.ErrUsage: Run goes on
		parts  string
	}{
		"never a link":                  {noLink: true, steps: []step{wait(10 * time.Second)}, want: talk.ErrUnreachable, parts: "within 10s"},
		"never a link, input ended":     {noLink: true, steps: []step{eof, wait(10 * time.Second)}, want: talk.ErrUnreachable},
		"never a link, something typed": {noLink: true, steps: []step{wait(9 * time.Second), say, wait(time.Second)}, want: talk.ErrUnreachable},
		"never a link, why":             {noLink: true, steps: []step{down, wait(10 * time.Second)}, want: talk.ErrUnreachable, parts: "reset by peer"},
		"never a link at a terminal":    {change: terminal, noLink: true, steps: []step{wait(10 * time.Second)}, want: talk.ErrUnreachable},
		"not yet":                       {noLink: true, steps: []step{wait(10*time.Second - 1)}, want: talk.ErrUsage},
		"another timeout":               {change: func(c *Config) { c.Timeout = time.Second }, noLink: true, steps: []step{wait(time.Second)}, want: talk.ErrUnreachable, parts: "within 1s"},
		"-wait":                         {change: func(c *Config) { c.Wait = true }, noLink: true, steps: []step{eof, wait(time.Hour)}, want: talk.ErrUsage},
		"-wait rewarded":                {change: func(c *Config) { c.Wait = true }, noLink: true, steps: []step{eof, wait(time.Hour), upper}},
		"-wait ends with the first":     {change: func(c *Config) { c.Wait = true }, steps: []step{down, wait(10 * time.Second)}, want: talk.ErrUnreachable},
		"nothing sent":                  {steps: []step{eof}},
		"a slow input":                  {steps: []step{wait(time.Hour)}, want: talk.ErrUsage},
		"a slow input, then a send":     {steps: []step{wait(59*time.Minute + 59*time.Second), say, wait(9 * time.Second)}, want: talk.ErrUsage},
		"sent and not answered":         {steps: []step{say, wait(10 * time.Second)}, want: talk.ErrNotKept, parts: "1 message is not known to be kept"},
		"sent, ended, not answered":     {steps: []step{say, eof, wait(10 * time.Second)}, want: talk.ErrNotKept},
		"answered in time":              {steps: []step{say, eof, wait(9 * time.Second), keep}},
		"lost with something open":      {steps: []step{say, wait(9 * time.Second), down, wait(9 * time.Second)}, want: talk.ErrUsage},
		"lost too long, something open": {steps: []step{say, down, wait(10 * time.Second)}, want: talk.ErrNotKept, parts: "1 message is not known"},
		"lost too long, nothing open":   {steps: []step{down, wait(10 * time.Second)}, want: talk.ErrUnreachable, parts: "the link was lost"},
		"attempts are no progress":      {steps: []step{down, wait(5 * time.Second), down, wait(5 * time.Second)}, want: talk.ErrUnreachable},
		"lost while following":          {change: follow, steps: []step{eof, wait(time.Hour), down, wait(10*time.Second - 1)}, want: talk.ErrUsage},
		"lost too long while following": {change: follow, steps: []step{eof, wait(time.Hour), down, wait(10 * time.Second)}, want: talk.ErrUnreachable},
		"lost at a terminal":            {change: terminal, steps: []step{say, down, wait(time.Hour)}, want: talk.ErrUsage},
		"not answered at a terminal":    {change: terminal, steps: []step{say, wait(time.Hour)}, want: talk.ErrUsage},
		"quit a lost terminal":          {change: terminal, steps: []step{say, down, wait(time.Hour), quit, wait(10 * time.Second)}, want: talk.ErrNotKept},
		"quit a terminal":               {change: terminal, steps: []step{quit}},
		"end of input at a terminal":    {change: terminal, steps: []step{eof}},
		"interrupt":                     {steps: []step{stop}},
		"interrupt without a link":      {noLink: true, steps: []step{stop}},
		"interrupt, something open":     {steps: []step{say, stop, wait(grace)}, want: talk.ErrNotKept},
		"interrupt is patient":          {steps: []step{say, stop, wait(grace - 1)}, want: talk.ErrUsage},
		"interrupt, answered":           {steps: []step{say, stop, wait(time.Second), keep}},
		"interrupt of the end":          {steps: []step{say, eof, stop, wait(grace)}, want: talk.ErrNotKept},
		"refused by the node":           {steps: []step{fail}, want: talk.ErrRefused, parts: "the node is full (come back later)"},
		"refused at once":               {noLink: true, steps: []step{fail}, want: talk.ErrRefused},
		"refused with something open":   {steps: []step{say, fail}, want: talk.ErrRefused, parts: "1 message is not known to be kept"},
		"the client failed":             {steps: []step{say, burst}, want: errAny, parts: "no randomness; 1 message is not known"},
	} {
		for _, json := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				d.noLink = c.noLink
				r := start(t, d, func(cfg *Config) {
					if c.change != nil {
						c.change(cfg)
					}
					cfg.JSON = json
				})
				r.json = json
				for _, s := range c.steps {
					s(r, d)
				}
				switch c.want {
				case talk.ErrUsage:
					r.goesOn()
				case nil:
					if err := r.result(); err != nil {
						t.Errorf("%s: Run: %v", name, err)
					}
				case errAny:
					err := r.result()
					if err == nil || errors.Is(err, talk.ErrNotKept) || errors.Is(err, talk.ErrRefused) || !strings.Contains(err.Error(), c.parts) {
						t.Errorf("%s: Run: %v", name, err)
					}
				default:
					wantsEnd(t, r.result(), c.want, c.parts)
				}
				if t.Failed() {
					t.Logf("%s (JSON: %v)", name, json)
				}
			})
		}
	}
}

// A goodbye that the node does not answer ends after the timeout; nothing was lost by it.
func TestGoodbyeUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.answers, d.deaf = true, true
		r := start(t, d, nil)
		r.typed("hi\n")
		r.eof()
		pass(defaultTimeout - 1)
		r.goesOn()
		pass(1)
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// A line that was read and waits for room when Run is interrupted is not known to be kept, and not refused either.
func TestInterruptedWhileWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.cap = 1
		r := start(t, d, nil)
		r.typed("1\n2\n")
		r.stop()
		pass(grace)
		wantsEnd(t, r.result(), talk.ErrNotKept, "2 messages are not known to be kept")
		r.wants("", connected)
	})
}

// Whoever reads the output slowly is not taken for a slow node.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		full := make(chan struct{})
		r := start(t, d, func(cfg *Config) { cfg.Out.(*sheet).full = full })
		r.typed("1\n2\n3\n")
		d.keep(1)
		pass(time.Hour)
		close(full)
		pass(9 * time.Second)
		r.goesOn()
		d.keep(2)
		d.keep(3)
		r.eof()
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
		r.wants("12:00 carol: 1\n12:00 carol: 2\n12:00 carol: 3\n", connected)
	})
}

// errAny stands for an error that is none of those with a name.
var errAny = errors.New("any")

func TestReaderGone(t *testing.T) {
	for name, gone := range map[string]error{"EPIPE": &errPath{syscall.EPIPE}, "closed": io.ErrClosedPipe} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			r := start(t, d, func(cfg *Config) { cfg.Follow = true })
			r.out.mu.Lock()
			r.out.fail = gone
			r.out.mu.Unlock()
			r.typed("hi\n")
			r.told(client.Message{Room: "lobby", Name: "bob", Text: "ho", Time: noon})
			r.goesOn()
			d.keep(1)
			if err := r.result(); err != nil {
				t.Errorf("%s: Run: %v", name, err)
			}
			r.wants("", connected)
		})
	}
}

type errPath struct{ error }

func (e *errPath) Unwrap() error { return e.error }

func TestOutputFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.answers = true
		r := start(t, d, nil)
		full := errors.New("no space left")
		r.out.mu.Lock()
		r.out.fail = full
		r.out.mu.Unlock()
		r.typed("hi\n")
		if err := r.result(); !errors.Is(err, full) || errors.Is(err, talk.ErrNotKept) {
			t.Errorf("Run: %v, want %v", err, full)
		}
	})
}

func TestInputFails(t *testing.T) {
	for _, follow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.answers = true
			r := start(t, d, func(cfg *Config) { cfg.Follow = follow })
			r.typed("hi\n")
			broken := errors.New("device gone")
			_ = r.in.CloseWithError(broken)
			if err := r.result(); !errors.Is(err, broken) {
				t.Errorf("Run: %v, want %v", err, broken)
			}
			if n := len(d.texts()); n != 1 {
				t.Errorf("%d sent, want 1", n)
			}
		})
	}
}

// A read that nothing can interrupt must not keep Run from returning, and what it brings later must not be sent.
func TestBlockedInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, nil)
		r.stop()
		if err := r.result(); err != nil {
			t.Errorf("Run: %v", err)
		}
		r.typed("late\n")
		if n := len(d.texts()); n != 0 {
			t.Errorf("%d sent after the end", n)
		}
	})
}

func TestContradictions(t *testing.T) {
	for name, cfg := range map[string]Config{"-json": {Whole: true, JSON: true}, "-commands": {Whole: true, Commands: true}} {
		wantsEnd(t, Run(t.Context(), cfg), talk.ErrUsage, "-whole", name)
	}
}

func TestListens(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want bool
	}{{Config{}, false}, {Config{Commands: true, JSON: true}, false}, {Config{Follow: true}, true}, {Config{Terminal: true}, true}} {
		if got := c.cfg.Listens(); got != c.want {
			t.Errorf("%+v listens: %v", c.cfg, got)
		}
	}
}

// TestLeftFromLastTime: what an earlier client has left is told, waited for and part of the verdict.
func TestLeftFromLastTime(t *testing.T) {
	for name, c := range map[string]struct {
		refuses  bool
		terminal bool
		told     string
		out, end string
	}{
		"kept":                {told: "", out: "12:00 carol: one\n12:00 carol: two\n"},
		"refused":             {refuses: true, told: "-- not sent to #lobby: " + chat.Denied.Sentence() + ": two\n", out: "12:00 carol: one\n", end: "1 message was refused"},
		"refused at terminal": {refuses: true, terminal: true, told: "-- not sent to #lobby: " + chat.Denied.Sentence() + ": two\n", end: "1 message was refused"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.noLink = true
			for _, text := range []string{"one", "two"} {
				d.drafts = append(d.drafts, client.Draft{Room: "lobby", Kind: chat.Text, Text: text})
				d.open++
			}
			r := start(t, d, func(cfg *Config) { cfg.Terminal = c.terminal })
			r.wants("", "-- 2 messages from last time, not known to be kept: sent now\n")
			again := up()
			again.Resumed = true
			r.told(again)
			r.eof()
			r.goesOn()
			d.keep(1)
			r.goesOn()
			if c.refuses {
				d.refuse(2, chat.Denied, 0)
			} else {
				d.keep(2)
			}
			if err := r.result(); c.end == "" && err != nil {
				t.Errorf("%s: Run: %v", name, err)
			} else if c.end != "" {
				wantsEnd(t, err, talk.ErrNotKept, c.end)
			}
			r.wants(c.out, "-- 2 messages from last time, not known to be kept: sent now\n"+connected+c.told)
		})
	}
}

// TestShownOnceItIsOut: the client hears that a message was shown when it has been written, not when that failed.
func TestShownOnceItIsOut(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		fails  bool
		want   []string
	}{
		"pipe":     {func(cfg *Config) { cfg.Follow = true }, false, []string{"shown lobby 1", "shown gap lobby 7", "shown lobby 8"}},
		"JSON":     {func(cfg *Config) { cfg.Follow, cfg.JSON = true, true }, false, []string{"shown lobby 1", "shown gap lobby 7", "shown lobby 8"}},
		"terminal": {func(cfg *Config) { cfg.Terminal = true }, false, []string{"shown lobby 1", "read lobby 1", "shown gap lobby 7", "shown lobby 8", "read lobby 8"}},
		"deaf":     {func(*Config) {}, false, []string{"shown gap lobby 7"}},
		"broken":   {func(cfg *Config) { cfg.Follow = true }, true, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			r := start(t, d, c.change)
			if c.fails {
				r.out.mu.Lock()
				r.out.fail = syscall.EPIPE
				r.out.mu.Unlock()
			}
			r.told(client.Message{Room: "lobby", Seq: 1, Own: true, Kind: chat.Text, Text: "a"}, client.Gap{Room: "lobby", From: 2, To: 7},
				client.Message{Room: "lobby", Seq: 8, Own: true, Kind: chat.Text, Text: "b"})
			if diff := cmp.Diff(c.want, d.asked); diff != "" {
				t.Errorf("%s: asked (-want +got):\n%s", name, diff)
			}
			r.stop()
			pass(grace)
		})
	}
}
