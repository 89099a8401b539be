package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// eventAt returns what a store has as a row.
func eventAt(t *testing.T, e engine, room, seq uint64) (body string, gone []byte, record []byte) {
	t.Helper()
	record, next, err := e.Page(room, seq, seq, 1)
	if err != nil || next != seq+1 {
		t.Fatalf("row %d of room %d: %v", seq, room, err)
	}
	got, err := event(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(got.Body), got.Opts.Gone, record
}

func testRedact(t *testing.T, open func(*testing.T, int64) engine) {
	l := newLibrary(t, open(t, unlimited), 2)
	l.write(t, [3]string{"1", "carol", "the fox"}, [3]string{"1", "bob", "a lynx and a fox"}, [3]string{"2", "bob", "the fox too"})
	settle(t, l)
	before := mustLoad(t, l)
	mustAppend(t, l, &Batch{Redactions: []Redaction{{Room: 1, Seq: 2}}})
	want := l.rows[1].Record
	body, gone, record := eventAt(t, l, 1, 2)
	sum := chat.BodySum(&l.rows[1].Salt, []byte("a lynx and a fox"))
	if body != "" || !bytes.Equal(gone, sum[:]) || bytes.Equal(record, want) {
		t.Errorf("the row says %q, and %x is left of it", body, gone)
	}
	if body, gone, _ := eventAt(t, l, 1, 1); body != "the fox" || gone != nil {
		t.Errorf("the row before says %q, %x", body, gone)
	}
	if diff := cmp.Diff(before, mustLoad(t, l)); diff != "" {
		t.Errorf("state mismatch (-before +after):\n%s", diff)
	}
	if hash, err := l.HashAt(1, 2); hash != l.rows[1].Hash || err != nil {
		t.Errorf("the hash is %x, %v", hash, err)
	}
	// Twice, of what is not there, of what never can be: nothing changes.
	mustAppend(t, l, &Batch{Redactions: []Redaction{{1, 2}, {1, 2}, {1, 3}, {1, 0}, {3, 1}, {0, 0}, {1 << 63, 1}, {1, 1 << 63}, {1<<64 - 1, 1<<64 - 1}}})
	if _, _, again := eventAt(t, l, 1, 2); !bytes.Equal(again, record) {
		t.Error("the second time made something else of it")
	}
	// With rows, and the row itself, in one batch: rows come first.
	row := l.scribe.say(t, 1, "carol", "no sooner said than gone", 9000)
	mustAppend(t, l, &Batch{Rows: []Row{row}, Redactions: []Redaction{{1, row.Seq}, {2, 1}}})
	for _, r := range []Redaction{{1, 3}, {2, 1}} {
		if body, gone, _ := eventAt(t, l, r.Room, r.Seq); body != "" || len(gone) != sumLen {
			t.Errorf("%+v says %q, and %x is left", r, body, gone)
		}
	}
	if err := l.Append(&Batch{Rows: []Row{{Header: chat.Header{Room: 1, Seq: 9}}}, Redactions: []Redaction{{1, 1}}}); !errors.Is(err, ErrOrder) {
		t.Fatalf("rows with a hole: %v", err)
	}
	if body, _, _ := eventAt(t, l, 1, 1); body != "the fox" {
		t.Errorf("a batch that failed has left %q", body)
	}
	l.rows[1].Record, l.rows[2].Record = record, nil
	_, _, l.rows[2].Record = eventAt(t, l, 2, 1)
	l.rows = append(l.rows, row)
	_, _, l.rows[3].Record = eventAt(t, l, 1, 3)
	forgotten(t, l.engine)
	for words, want := range map[string][]int{"fox": {0}, "lynx": nil, "sooner": nil} {
		if got, _ := l.find(t, Query{Words: words, Hits: 10, Bytes: 10_000}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("search %q: rows %v, want %v", words, got, want)
		}
	}
	if got, _ := l.find(t, Query{Name: "bob", Hits: 10, Bytes: 10_000}); fmt.Sprint(got) != "[2 1]" {
		t.Errorf("rows of bob: %v, want what is left of both, in their order", got)
	}
	if state := mustLoad(t, l); state.Rooms[0].Head != 3 || state.Rooms[0].Hash != row.Hash {
		t.Errorf("the room's end: %+v", state.Rooms[0])
	}
}

// forgotten waits until nothing is left of what redactions took away, where that takes time.
func forgotten(t *testing.T, e engine) {
	t.Helper()
	settle(t, e)
	if s, ok := e.(interface{ forgotten(*testing.T) }); ok {
		s.forgotten(t)
	}
}
