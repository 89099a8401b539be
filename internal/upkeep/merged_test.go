package upkeep

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// shared is an entry of the tests' shared stores.
type shared struct {
	log     uint64 // 1 or 2, of ops; 3, of the conversation
	lamport uint64
	kind    chat.Kind
	text    string
	same    bool // what the entry before it in the list says
	gone    bool
}

// written by two nodes: what is in both logs is in the order in which the first node took it.
var both = []shared{
	{1, 1, chat.Text, "first\nof two lines", false, false}, {2, 1, chat.Text, "at the same time", false, false}, {1, 2, chat.Text, "a secret", false, true},
	{2, 3, chat.Action, "waves", false, false}, {1, 5, chat.Text, "said twice", false, false}, {2, 4, chat.Text, "said twice", true, false}, {3, 1, chat.Sealed, "\x01\x02", false, false},
}

// sharing makes a store that has the entries in this order, with numbers of its own, and returns its folder.
func sharing(t *testing.T, order []int, rooms [2]uint64) string {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	state.Sharing.Shared = true
	ops, two := store.Room{Num: rooms[0], Name: "ops"}, store.Room{Num: rooms[1], Peers: [2]identity.ID{people[0], people[1]}}
	b := &store.Batch{Sharing: &state.Sharing, Rooms: []store.Room{ops, two}, Origins: []store.Origin{{Num: rooms[0], Key: people[1], Last: 9, Retired: true}}}
	for num := range uint64(3) {
		b.Logs = append(b.Logs, store.Log{Num: num + 1, Key: [32]byte{byte(num) + 1}, Nonce: num, Room: ops.Num, Low: 1})
	}
	b.Logs[2].Room = two.Num
	heads, seqs := map[uint64]uint64{}, map[uint64]uint64{}
	for _, i := range order {
		e := both[i]
		room := &ops
		if e.log == 3 {
			room = &two
		}
		seqs[e.log]++
		sum := chat.BodySum(&[16]byte{}, []byte(e.text))
		header := wire.Entry{Seq: seqs[e.log], Lamport: e.lamport, Epoch: e.log, Num: 7, Row: seqs[e.log], From: 8, CSeq: seqs[e.log], Time: chat.Millis(noon) + int64(e.lamport), Name: "bob",
			Kind: e.kind, Author: people[1][:], Origin: make([]byte, 16), Sum: sum[:], Re: make([]byte, 8)}
		name := wire.Log{Node: b.Logs[e.log-1].Key[:], Nonce: e.log - 1, Room: room.LogName()}
		entry := store.Entry{Log: e.log, Seq: seqs[e.log], Lamport: e.lamport, ID: wire.EntryIDOf(name.ID(), header.Encode()), Room: room.Num, Header: header.Encode(), Sig: make([]byte, 64)}
		twin := e.text == "said twice" && heads[room.Num] > 0 && string(b.Rows[len(b.Rows)-1].Body) == e.text
		if entry.Row = heads[room.Num]; twin {
			entry.Hidden, entry.Same, entry.Salt, entry.Body = true, entry.Row, make([]byte, 16), []byte(e.text)
		} else {
			heads[room.Num]++
			entry.Row++
			h := header.Header()
			event := &wire.Event{Room: room.Num, Seq: entry.Row, From: rooms[0], CSeq: h.CSeq, Time: h.Time + 1000, Name: "bob~here", Kind: e.kind, Body: []byte(e.text), ID: h.IDOf(sum)}
			b.Rows = append(b.Rows, store.Row{Header: chat.Header{Room: room.Num, Seq: entry.Row, Time: event.Time}, Body: event.Body, ID: event.ID, Record: wire.Must(nil, event)})
			if e.gone {
				b.Redactions = append(b.Redactions, store.Redaction{Room: room.Num, Seq: entry.Row})
			}
		}
		b.Entries = append(b.Entries, entry)
	}
	if err := errors.Join(s.Append(b), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// exported is what an export prints.
func exported(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c, out, stderr := console(dir)
	if err := Export(t.Context(), append(args, "-data", dir), c); err != nil || stderr.Len() > 0 {
		t.Fatalf("export %q: %v, %s", args, err, stderr)
	}
	return out.String()
}

// Two stores that hold the same print the same, whatever came first and whatever they number it with.
func TestExportMerged(t *testing.T) {
	one, other := sharing(t, []int{0, 1, 2, 3, 4, 5, 6}, [2]uint64{1, 2}), sharing(t, []int{1, 6, 0, 2, 3, 5, 4}, [2]uint64{9, 4})
	for _, args := range [][]string{{"-merged"}, {"-merged", "-text"}, {"-merged", "-room", "ops"}, {"-merged", "-since", "1d"}} {
		if diff := cmp.Diff(exported(t, one, args...), exported(t, other, args...)); diff != "" {
			t.Errorf("%q (-one +other):\n%s", args, diff)
		}
	}
	if exported(t, one) == exported(t, other) {
		t.Error("the stores are the same: this test would find nothing")
	}
	var texts []string
	for line := range strings.Lines(exported(t, one, "-merged")) {
		var got entryObject
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, got.Text)
		if _, err := chat.ParseID(got.ID); err != nil || got.Type != "entry" || len(got.Entry) != 64 || len(got.Log) != 32 || got.Name != "bob" || got.Author != people[1].String() {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(texts) == 6 && texts[1] > texts[2] { // of one lamport, by their ids
		texts[1], texts[2] = texts[2], texts[1]
	}
	want := []string{"", "at the same time", "first\nof two lines", chat.RemovedText, "waves", "said twice"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	people := exported(t, one, "-merged", "-text", "-room", "ops")
	if !strings.HasPrefix(people, "-- Sunday, 22 November 2026 (UTC)\n2026-11-22 12:00:00 #ops bob: ") || !strings.Contains(people, "\n    of two lines\n") ||
		!strings.HasSuffix(people, "2026-11-22 12:00:00 #ops bob: "+chat.RemovedText+"\n2026-11-22 12:00:00 #ops * bob waves\n2026-11-22 12:00:00 #ops bob: said twice\n") {
		t.Errorf("for people:\n%s", people)
	}
	if got := exported(t, one, "-merged", "-since", "3h"); got != "" {
		t.Errorf("of the last hours: %s", got)
	}
	c, out, _ := console(written(t))
	if err := Export(t.Context(), []string{"-merged"}, c); !errors.Is(err, ErrUsage) || out.Len() > 0 {
		t.Errorf("of a store that has not shared anything: %v, %s", err, out)
	}
}

// Each field of an entry is described in docs/json.md.
func TestMergedIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Export\n")
	for i := range reflect.TypeFor[entryObject]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[entryObject]().Field(i).Tag.Get("json"), ",")
		if !regexp.MustCompile("(?m)^\\| `" + name + "` \\|").MatchString(section) {
			t.Errorf("the page does not name %s", name)
		}
	}
}
