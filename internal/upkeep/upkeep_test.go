package upkeep

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// noon is when the messages of the tests begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// people are the keys of carol, bob and one who has no name any more.
var people = [3]identity.ID{{1}, {2}, {3}}

// line is a message of the tests' store.
type line struct {
	room  uint64
	from  uint64
	after time.Duration // noon
	kind  chat.Kind
	name  string
	text  string
	re    chat.ID
}

var story = []line{
	{1, 1, 0, chat.Text, "carol", "good morning", chat.ID{}},
	{2, 2, time.Hour, chat.Text, "bob", "one\ntwo\n\n2026-11-22 20:51:59 #ops carol: not me", chat.ID{}},
	{1, 1, 2 * time.Hour, chat.Action, "carol", "waves", chat.ID{9}},
	{1, 2, 2 * time.Hour, chat.Topic, "bob", "new plan", chat.ID{}},
	{3, 1, 3 * time.Hour, chat.Text, "carol", "psst", chat.ID{}},
	{4, 3, 13 * time.Hour, chat.Text, "dave", "a\x1b[31m\u202e \t<b>&", chat.ID{}},
	{1, 2, 36 * time.Hour, chat.Topic, "bob", "", chat.ID{}},
}

// written makes a store with the story in it, and returns its folder.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NodeKey(key.Text()); err != nil {
		t.Fatal(err)
	}
	state, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	b := &store.Batch{
		Rooms: []store.Room{{Num: 1, Name: "lobby"}, {Num: 2, Name: "ops"}, {Num: 3, Peers: [2]identity.ID{people[0], people[1]}},
			{Num: 4, Peers: [2]identity.ID{people[0], people[2]}}, {Num: 5, Name: "quiet"}},
		People: []store.Person{{Key: people[0], Name: "Carol"}, {Key: people[1], Name: "bob"}, {Key: people[2]}},
	}
	heads, hashes, said := map[uint64]uint64{}, map[uint64]chat.Hash{}, map[uint64]uint64{}
	for _, l := range story {
		heads[l.room]++
		said[l.from]++
		row := store.Row{Header: chat.Header{Epoch: state.Epoch, Room: l.room, Seq: heads[l.room], From: l.from, CSeq: said[l.from],
			Time: chat.Millis(noon.Add(l.after)), Kind: l.kind, Name: l.name, Re: l.re}, Body: []byte(l.text)}
		row.ID = row.Header.ID(&row.Salt, row.Body)
		row.Hash = hashes[l.room].Next(row.ID)
		hashes[l.room] = row.Hash
		event := &wire.Event{Room: l.room, Seq: row.Seq, From: l.from, CSeq: row.CSeq, Time: row.Time, Name: l.name, Kind: l.kind, Body: row.Body, ID: row.ID}
		if !l.re.IsZero() {
			event.Opts.Re = l.re[:]
		}
		row.Record = wire.Must(nil, event)
		b.Rows = append(b.Rows, row)
	}
	for from, last := range said {
		b.Origins = append(b.Origins, store.Origin{Num: from, Token: store.OriginToken{byte(from)}, Key: people[from-1], Last: last})
	}
	if err := errors.Join(s.Append(b), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// console returns what a verb works with, and where it prints. The store that is meant is dir.
func console(dir string) (c *Console, out, stderr *bytes.Buffer) {
	out, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &Console{Out: out, Err: stderr, Zone: time.UTC, Now: func() time.Time { return noon.Add(40 * time.Hour) },
		Data: func() (string, bool, error) { return dir, false, nil }}, out, stderr
}

func TestExportForPeople(t *testing.T) {
	dir := written(t)
	c, out, stderr := console(dir)
	if err := Export(t.Context(), []string{"-text"}, c); err != nil {
		t.Fatal(err)
	}
	nobody := people[2].String()
	want := "-- Sunday, 22 November 2026 (UTC)\n" +
		"2026-11-22 12:00:00 #lobby carol: good morning\n" +
		"2026-11-22 13:00:00 #ops bob: one\n    two\n    \n    2026-11-22 20:51:59 #ops carol: not me\n" +
		"2026-11-22 14:00:00 #lobby * carol waves\n" +
		"2026-11-22 14:00:00 #lobby -- bob set the topic: new plan\n" +
		"2026-11-22 15:00:00 @Carol,bob carol: psst\n" +
		"-- Monday, 23 November 2026 (UTC)\n" +
		"2026-11-23 01:00:00 @Carol," + nobody + " dave: a\ufffd[31m\ufffd     <b>&\n" +
		"-- Tuesday, 24 November 2026 (UTC)\n" +
		"2026-11-24 00:00:00 #lobby -- bob took the topic away\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || stderr.Len() > 0 {
		t.Errorf("timeline (-want +got):\n%s\nstandard error: %s", diff, stderr)
	}
}

func TestExportForPrograms(t *testing.T) {
	c, out, _ := console(written(t))
	if err := Export(t.Context(), nil, c); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(story) {
		t.Fatalf("%d lines for %d messages", len(lines), len(story))
	}
	rooms := map[uint64]string{1: "lobby", 2: "ops", 3: "@" + people[0].String() + "," + people[1].String(), 4: "@" + people[0].String() + "," + people[2].String()}
	seqs := map[uint64]uint64{}
	for i, l := range story {
		var got messageObject
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
		seqs[l.room]++
		want := messageObject{Type: "message", Room: rooms[l.room], Seq: seqs[l.room], ID: got.ID, Epoch: got.Epoch, Cursor: got.Cursor, Name: l.name,
			Author: people[l.from-1].String(), Kind: l.kind.String(), Time: noon.Add(l.after).Format("2006-01-02T15:04:05.000Z"), Text: chat.CleanText(l.kind, l.text)}
		if !l.re.IsZero() {
			want.Re = l.re.String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
		cursor, err := chat.ParseCursor(got.Cursor)
		if _, bad := chat.ParseID(got.ID); bad != nil || err != nil || cursor.Seq != got.Seq || fmt.Sprintf("%016x", cursor.Epoch) != got.Epoch {
			t.Errorf("message %d: id %s, epoch %s, cursor %s: %v", i, got.ID, got.Epoch, got.Cursor, err)
		}
		if chat.OneLine(lines[i]) != lines[i] || !strings.HasPrefix(lines[i], `{"type":"message",`) {
			t.Errorf("message %d can drive a terminal: %q", i, lines[i])
		}
	}
}

// An export speaks the language of docs/json.md: each of its fields is described there as one of a message.
func TestExportIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### message\n")
	section, _, _ = strings.Cut(section, "\n### ")
	for i := range reflect.TypeFor[messageObject]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[messageObject]().Field(i).Tag.Get("json"), ",")
		if !regexp.MustCompile("(?m)^\\| `" + name + "` \\|").MatchString(section) {
			t.Errorf("the page does not name %s", name)
		}
	}
	if !strings.Contains(string(page), "chatnode export") {
		t.Error("the page does not name the verb")
	}
}

func TestExportChooses(t *testing.T) {
	dir := written(t)
	tests := map[string]struct {
		args []string
		want []int // of story
	}{
		"a room":                {[]string{"-room", "ops"}, []int{1}},
		"two rooms":             {[]string{"-room", "ops", "-room", "lobby"}, []int{0, 1, 2, 3, 6}},
		"a room twice":          {[]string{"-room", "ops", "-room", "ops"}, []int{1}},
		"a quiet room":          {[]string{"-room", "quiet"}, nil},
		"all conversations":     {[]string{"-room", "@"}, []int{4, 5}},
		"bob's":                 {[]string{"-room", "@bob"}, []int{4}},
		"carol's, as typed":     {[]string{"-room", "@carol"}, []int{4, 5}},
		"by key":                {[]string{"-room", "@" + people[2].String()}, []int{5}},
		"of two":                {[]string{"-room", "@bob,carol"}, []int{4}},
		"as JSON tells it":      {[]string{"-room", "@" + people[0].String() + "," + people[2].String()}, []int{5}},
		"since just then":       {[]string{"-since", "38h"}, []int{2, 3, 4, 5, 6}},
		"since a moment later":  {[]string{"-since", "1d13h59m59s999ms"}, []int{4, 5, 6}},
		"since later":           {[]string{"-since", "3h"}, nil},
		"since before":          {[]string{"-since", "3000d"}, []int{0, 1, 2, 3, 4, 5, 6}},
		"a room, since":         {[]string{"-room", "lobby", "-since", "38h"}, []int{2, 3, 6}},
		"a file":                {[]string{filepath.Join(dir, "chatnode.db")}, []int{0, 1, 2, 3, 4, 5, 6}},
		"flags behind a folder": {[]string{dir, "-room", "ops"}, []int{1}},
		"-data":                 {[]string{"-data", dir, "-room", "ops"}, []int{1}},
	}
	for name, tt := range tests {
		c, out, _ := console(dir)
		if err := Export(t.Context(), tt.args, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got, want []string
		for text := range strings.Lines(out.String()) {
			var m messageObject
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Text)
		}
		for _, n := range tt.want {
			want = append(want, chat.CleanText(story[n].kind, story[n].text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Mistakes in the command line are told as such, and nothing is done.
func TestMistakes(t *testing.T) {
	dir := written(t)
	to := filepath.Join(t.TempDir(), "copy")
	verbs := map[string]func(context.Context, []string, *Console) error{"check": Check, "export": Export, "backup": Backup}
	tests := map[string]struct {
		verb string
		args []string
		mark error
		says string
	}{
		"no such flag":            {"check", []string{"-nonsense"}, ErrUsage, "-nonsense"},
		"of another verb":         {"backup", []string{"-text", to}, ErrUsage, "-text"},
		"two stores":              {"check", []string{dir, dir}, ErrUsage, "one store at a time"},
		"a store and -data":       {"export", []string{"-data", dir, dir}, ErrUsage, "one store at a time"},
		"an empty -data":          {"check", []string{"-data", ""}, ErrUsage, "names no folder"},
		"-data alone":             {"check", []string{"-data"}, ErrUsage, "needs an argument"},
		"no such room":            {"export", []string{"-room", "nope"}, ErrUsage, "there are lobby, ops, quiet"},
		"a room and no such room": {"export", []string{"-room", "ops", "-room", ""}, ErrUsage, `no room ""`},
		"a room with its mark":    {"export", []string{"-room", "#ops"}, ErrUsage, `no room "#ops"`},
		"nobody's conversation":   {"export", []string{"-room", "@dave"}, ErrUsage, `no room "@dave"`},
		"with oneself":            {"export", []string{"-room", "@bob,bob"}, ErrUsage, `no room "@bob,bob"`},
		"since when":              {"export", []string{"-since", "yesterday"}, ErrUsage, "duration"},
		"since tomorrow":          {"export", []string{"-since", "-1h"}, ErrUsage, "duration"},
		"no file":                 {"backup", nil, ErrUsage, "to which file"},
		"an empty file":           {"backup", []string{""}, ErrUsage, "to which file"},
		"two files":               {"backup", []string{to, to}, ErrUsage, "to which file"},
		"standard output":         {"backup", []string{"-"}, ErrUsage, "not to standard output"},
		"nothing to check":        {"check", []string{to}, ErrNotOpened, "no chatnode store at " + to},
		"nothing to export":       {"export", []string{"-data", to}, ErrNotOpened, "no chatnode store"},
		"nothing to back up":      {"backup", []string{"-data", to, to}, ErrNotOpened, "no chatnode store"},
		"a file that is there":    {"backup", []string{filepath.Join(dir, "chatnode.db")}, nil, "there is no backup: "},
		"a folder not there":      {"backup", []string{filepath.Join(to, "copy")}, nil, "there is no backup: "},
	}
	for name, tt := range tests {
		c, out, _ := console(dir)
		err := verbs[tt.verb](t.Context(), tt.args, c)
		if err == nil || tt.mark != nil && !errors.Is(err, tt.mark) || !strings.Contains(err.Error(), tt.says) || out.Len() > 0 {
			t.Errorf("%s: error %v, want %v and %q; printed %q", name, err, tt.mark, tt.says, out)
		}
		for _, mark := range []error{ErrUsage, ErrNotOpened, ErrFault} {
			if mark != tt.mark && errors.Is(err, mark) {
				t.Errorf("%s is marked as %v", name, mark)
			}
		}
	}
	for name, verb := range verbs {
		c, out, _ := console(dir)
		if err := verb(t.Context(), []string{"-h"}, c); err != nil || !strings.HasPrefix(out.String(), "chatnode "+name+": ") || !strings.Contains(out.String(), "  -data DIR") {
			t.Errorf("%s -h: %v, %q", name, err, out)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		args := map[string][]string{"backup": {to}}[name]
		if err := verb(ended, args, c); err == nil || !strings.Contains(err.Error(), "stopped before the end") {
			t.Errorf("%s, stopped: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestCheckAndBackup(t *testing.T) {
	dir, to := written(t), filepath.Join(t.TempDir(), "copy")
	const much = `3 rooms, 2 conversations, 7 messages, node cn1[a-z2-7]{56}`
	c, out, stderr := console(dir)
	if err := Check(t.Context(), nil, c); err != nil || !regexp.MustCompile(`^all is well: (`+much+`)\n$`).MatchString(out.String()) {
		t.Errorf("check: %v, %q", err, out)
	}
	out.Reset()
	if err := Backup(t.Context(), []string{to}, c); err != nil || !regexp.MustCompile(`^backed up to .*copy: (`+much+`)\n$`).MatchString(out.String()) {
		t.Errorf("backup: %v, %q", err, out)
	}
	var of [2]*bytes.Buffer
	for i, path := range []string{dir, to} {
		c, out, _ := console(path)
		if err := Export(t.Context(), nil, c); err != nil {
			t.Error(err)
		}
		of[i] = out
	}
	if diff := cmp.Diff(of[0].String(), of[1].String()); diff != "" || stderr.Len() > 0 {
		t.Errorf("exports (-store +backup):\n%s\nstandard error: %s", diff, stderr)
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(written(t), "chatnode.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(whole, []byte("good morning"), []byte("good evening")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, out, _ := console(path)
	err = Check(t.Context(), nil, c)
	if want := "the store is damaged: room lobby, row 1: what it says does not fit its id"; !errors.Is(err, ErrFault) || !strings.HasPrefix(err.Error(), want) || out.Len() > 0 {
		t.Errorf("check: %v, %q; want %q", err, out, want)
	}
	if err := Backup(t.Context(), []string{path + ".copy"}, c); !errors.Is(err, ErrFault) || !strings.HasPrefix(err.Error(), "there is no backup: the store is damaged: room lobby") {
		t.Errorf("backup: %v", err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	for name, verb := range map[string]func(context.Context, []string, *Console) error{"check": Check, "export": Export} {
		if err := verb(t.Context(), nil, c); !errors.Is(err, ErrFault) {
			t.Errorf("%s of a piece: %v", name, err)
		}
	}
}

// Which store is meant is told when nobody has chosen it and there are others.
func TestOthersAreMentioned(t *testing.T) {
	parent := t.TempDir()
	for _, port := range []string{"8080", "8081"} {
		if err := os.Rename(written(t), filepath.Join(parent, port)); err != nil {
			t.Fatal(err)
		}
	}
	dir, other := filepath.Join(parent, "8080"), filepath.Join(parent, "8081")
	c, _, stderr := console(dir)
	if err := Check(t.Context(), nil, c); err != nil || stderr.String() != "-- this is about "+dir+"; -data names another: "+other+"\n" {
		t.Errorf("%v, %q", err, stderr)
	}
	for name, args := range map[string][]string{"-data": {"-data", dir}, "a folder": {dir}} {
		c, _, stderr := console(other)
		if err := Check(t.Context(), args, c); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, stderr)
		}
	}
	c, _, stderr = console(dir)
	c.Data = func() (string, bool, error) { return dir, true, nil }
	if err := Check(t.Context(), nil, c); err != nil || stderr.Len() > 0 {
		t.Errorf("chosen by the environment: %v, %q", err, stderr)
	}
	c.Data = func() (string, bool, error) { return "", false, errors.New("no home") }
	if err := Check(t.Context(), nil, c); !errors.Is(err, ErrNotOpened) || !strings.Contains(err.Error(), "no home") {
		t.Errorf("no usual place: %v", err)
	}
}

// failing fails after so many writes.
type failing struct {
	writes int
	err    error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.writes--; f.writes < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// A reader who goes away ends an export quietly; another failure does not.
func TestExportToNobody(t *testing.T) {
	dir := written(t)
	for _, gone := range []error{syscall.EPIPE, io.ErrClosedPipe, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}} {
		for _, args := range [][]string{nil, {"-text"}} {
			c, _, _ := console(dir)
			c.Out = &failing{err: gone}
			if err := Export(t.Context(), args, c); err != nil {
				t.Errorf("%v, %q: %v", gone, args, err)
			}
		}
	}
	full := errors.New("no space")
	c, _, _ := console(dir)
	c.Out = &failing{err: full}
	if err := Export(t.Context(), nil, c); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	now := noon
	b := newBar(&Console{Err: &out, Wide: 80, Now: func() time.Time { return now }})
	b.end()
	if out.Len() > 0 {
		t.Errorf("a bar that was never drawn is taken away: %q", &out)
	}
	draw := func(after time.Duration, s store.Step) string {
		out.Reset()
		now = now.Add(after)
		b.step(s)
		return out.String()
	}
	for _, tt := range []struct {
		after time.Duration
		step  store.Step
		want  string
	}{
		{0, store.Step{Doing: "checking", Total: 1_204_332}, "checking  ░░░░░░░░░░░░░░░░░░░░  0%  0 of 1,204,332"},
		{99 * time.Millisecond, store.Step{Doing: "checking", Done: 9, Total: 1_204_332}, ""},
		{time.Millisecond, store.Step{Doing: "checking", Done: 731_204, Total: 1_204_332}, "checking  ████████████░░░░░░░░  60%  731,204 of 1,204,332"},
		{time.Second, store.Step{Doing: "checking", Done: 1_300_000, Total: 1_204_332}, "checking  ████████████████████  100%  1,204,332 of 1,204,332"},
		{time.Second, store.Step{Doing: "copying", Done: 3 << 20, Total: 2000 << 20, Bytes: true}, "copying  ░░░░░░░░░░░░░░░░░░░░  0%  3 of 2,000 MB"},
		{time.Second, store.Step{Doing: "checking the file"}, "checking the file …"},
	} {
		want := tt.want
		if want != "" {
			want = eraseLine + want
		}
		if got := draw(tt.after, tt.step); got != want {
			t.Errorf("drew %q, want %q", got, want)
		}
	}
	b.wide = 12
	if got := draw(time.Second, store.Step{Doing: "checking", Done: 1, Total: 2}); got != eraseLine+"checking  …" {
		t.Errorf("on a narrow terminal: %q", got)
	}
	out.Reset()
	if b.end(); out.String() != eraseLine {
		t.Errorf("the end: %q", &out)
	}
}

// A bar is drawn on a terminal alone, and never between the lines of an export.
func TestBarIsDrawnOnTerminals(t *testing.T) {
	dir := written(t)
	for name, tt := range map[string]struct {
		wide int
		same bool
		want bool
	}{"no terminal": {0, false, false}, "a terminal": {80, false, true}, "both": {80, true, false}} {
		c, _, stderr := console(dir)
		c.Wide, c.Same = tt.wide, tt.same
		if err := Export(t.Context(), nil, c); err != nil || (stderr.Len() > 0) != tt.want {
			t.Errorf("export, %s: %v, drew %q", name, err, stderr)
		}
	}
	c, out, stderr := console(dir)
	c.Wide = 80
	if err := Check(t.Context(), nil, c); err != nil || !strings.HasSuffix(stderr.String(), eraseLine) || strings.Contains(out.String(), "\x1b") {
		t.Errorf("check: %v, drew %q, printed %q", err, stderr, out)
	}
}
