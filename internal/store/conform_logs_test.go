package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// seqs are those of entries, after an error that is none.
func seqs(t *testing.T, list []Entry, err error) (all []uint64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, e.Seq)
	}
	return all
}

// testLogs: entries, their logs and what hangs on them come back as they were put in, and by all the ways that lead to them.
func testLogs(t *testing.T, open func(*testing.T, int64) engine) {
	a := annalsOf(t, open(t, unlimited), 3)
	other := a.say(2, "of a batch of its own")
	a.commit()
	state := mustLoad(t, a)
	var logs []Log
	for num := range uint64(5) {
		logs = append(logs, a.logs[num+1].Log)
	}
	if diff := cmp.Diff(logs, state.Logs); diff != "" {
		t.Errorf("logs mismatch (-want +got):\n%s", diff)
	}
	if !state.Sharing.Shared || len(state.Abroad) != 4 || state.Abroad[0].Epoch != 1002 || state.Abroad[0].Num != 2 {
		t.Errorf("sharing %+v, abroad %+v", state.Sharing, state.Abroad)
	}
	if list, err := a.Entries(2, 2, 3, math.MaxInt); fmt.Sprint(seqs(t, list, err)) != "[2 3]" {
		t.Errorf("entries 2 to 3: %v", list)
	}
	got, err := a.EntryAt(2, 4)
	if diff := cmp.Diff(other, got); diff != "" || err != nil {
		t.Errorf("entry mismatch, %v (-want +got):\n%s", err, diff)
	}
	if got, err := a.EntryOf(1, other.Row); got.ID != other.ID || string(got.Body) != "of a batch of its own" || err != nil {
		t.Errorf("the entry of row %d: %+v, %v", other.Row, got, err)
	}
	for size, want := range map[int]string{0: "[1]", got.size() * 5 / 2: "[1 2]", math.MaxInt: "[1 2 3 4]"} {
		if list, err := a.Entries(2, 1, 99, size); fmt.Sprint(seqs(t, list, err)) != want {
			t.Errorf("entries in %d bytes: %v, want %s", size, seqs(t, list, err), want)
		}
	}
	for _, ask := range [][3]uint64{{2, 5, 9}, {2, 3, 2}, {9, 1, 1}, {0, 0, 0}, {math.MaxUint64, 1, 1}, {2, math.MaxUint64, math.MaxUint64}} {
		if list, err := a.Entries(ask[0], ask[1], ask[2], 100); !errors.Is(err, ErrNoRow) {
			t.Errorf("entries %v: %v, %v, want ErrNoRow", ask, list, err)
		}
	}
	for _, ask := range [][2]uint64{{1, 11}, {9, 1}, {math.MaxUint64, 1}, {1, math.MaxUint64}} {
		if e, err := a.EntryOf(ask[0], ask[1]); !errors.Is(err, ErrNoRow) {
			t.Errorf("the entry of %v: %v, %v, want ErrNoRow", ask, e, err)
		}
	}
	pair := Pair{Origin: [16]byte{7: 2}, CSeq: 4, Room: 1, Row: other.Row}
	if got, found, err := a.Pair(pair.Origin, 4); got != pair || !found || err != nil {
		t.Errorf("pair %+v, %v, %v", got, found, err)
	}
	for _, cseq := range []uint64{0, 5, math.MaxUint64} {
		if got, found, err := a.Pair(pair.Origin, cseq); found || err != nil {
			t.Errorf("pair %d is %+v, %v", cseq, got, err)
		}
	}
	for row, want := range map[uint64]uint64{0: 1, 2: 1, 3: 2, 5: 2, 6: 3, 8: 3, 9: 4, 10: 4, 11: 5, math.MaxUint64: 5} {
		if seq, err := a.LogAt(2, row); seq != want || err != nil {
			t.Errorf("log 2 at row %d: %d, %v; want %d", row, seq, err, want)
		}
	}
	if _, err := a.LogAt(77, 1); !errors.Is(err, ErrNoRow) {
		t.Errorf("no log at row 1: %v, want ErrNoRow", err)
	}
	if low, err := a.LogLow(2); low != 1 || err != nil {
		t.Errorf("low %d, %v", low, err)
	}
	if low, err := a.LogLow(77); low != 1 || err != nil {
		t.Errorf("low of no log: %d, %v", low, err)
	}
}

// testLogOrder: nothing of a batch comes in whose entries don't go on where their log ended.
func testLogOrder(t *testing.T, open func(*testing.T, int64) engine) {
	a := annalsOf(t, open(t, unlimited), 2)
	before := mustLoad(t, a)
	l := a.logs[2].Log
	good := Entry{Log: 2, Seq: 3, Lamport: 9, ID: wire.EntryID{9}, Room: 1, Row: 6, Hidden: true, Header: []byte("h"), Sig: []byte("s")}
	for name, change := range map[string]func(e *Entry, l *Log){
		"a hole":              func(e *Entry, _ *Log) { e.Seq = 4 },
		"twice":               func(e *Entry, _ *Log) { e.Seq = 2 },
		"no log":              func(e *Entry, _ *Log) { e.Log = 77 },
		"another room":        func(e *Entry, _ *Log) { e.Room = 2 },
		"a row to come":       func(e *Entry, _ *Log) { e.Row = 7 },
		"no row":              func(e *Entry, _ *Log) { e.Row, e.Hidden = 0, false },
		"the same as nothing": func(e *Entry, _ *Log) { e.Same = 7 },
		"the same and a row":  func(e *Entry, _ *Log) { e.Same, e.Hidden = 1, false },
		"a giant lamport":     func(e *Entry, _ *Log) { e.Lamport = 1 << 63 },
		"another key":         func(_ *Entry, l *Log) { l.Key[0]++ },
		"another nonce":       func(_ *Entry, l *Log) { l.Nonce++ },
		"a log of no room":    func(_ *Entry, l *Log) { l.Room = 9 },
		"a log of number 0":   func(_ *Entry, l *Log) { l.Num = 0 },
		"a giant low":         func(_ *Entry, l *Log) { l.Low = 1 << 36 },
		"below its low":       func(_ *Entry, l *Log) { l.Low = 9 },
	} {
		e, changed := good, l
		change(&e, &changed)
		if err := a.Append(&Batch{Logs: []Log{changed}, Entries: []Entry{e}, Pairs: []Pair{{CSeq: 1}}}); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v, want ErrOrder", name, err)
		}
	}
	if diff := cmp.Diff(before, mustLoad(t, a)); diff != "" {
		t.Fatalf("state mismatch (-before +after):\n%s", diff)
	}
	if _, found, err := a.Pair([16]byte{}, 1); found || err != nil {
		t.Errorf("a pair of a batch that failed is there: %v", err)
	}

	// What a batch says of the ends of a log is not what they are; the same log may stand in it twice.
	wrong := l
	wrong.Head, wrong.Low, wrong.Lamport, wrong.Forked = 77, 0, 77, 9
	right := wrong
	right.Forked = 0
	mustAppend(t, a, &Batch{Logs: []Log{wrong, right}, Entries: []Entry{good}})
	l.grow(&good)
	if got := mustLoad(t, a).Logs[1]; got != l {
		t.Errorf("the log is %+v, want %+v", got, l)
	}

	// One that begins above 1, and one that leaps, as what was between is kept nowhere.
	begin := Log{Num: 9, Key: [32]byte{9}, Nonce: math.MaxUint64, Room: 1, Low: 5}
	mustAppend(t, a, &Batch{Logs: []Log{begin}, Entries: []Entry{{Log: 9, Seq: 5, Lamport: 50, ID: wire.EntryID{5}, Room: 1, Row: 6, Hidden: true, Header: []byte("h")}}})
	leap := begin
	leap.Low = 8
	mustAppend(t, a, &Batch{Logs: []Log{leap}, Entries: []Entry{{Log: 9, Seq: 8, Lamport: 80, ID: wire.EntryID{8}, Room: 1, Row: 6, Hidden: true, Header: []byte("h")}}})
	want := Log{Num: 9, Key: begin.Key, Nonce: begin.Nonce, Room: 1, Low: 8, Head: 8, HeadID: wire.EntryID{8}, Lamport: 80}
	if got := mustLoad(t, a).Logs[5]; got != want {
		t.Errorf("the log is %+v, want %+v", got, want)
	}
	if _, err := a.EntryAt(9, 5); !errors.Is(err, ErrTrimmed) {
		t.Errorf("an entry before a leap: %v, want ErrTrimmed", err)
	}
	if low, err := a.LogLow(9); low != 8 || err != nil {
		t.Errorf("low %d, %v; want 8", low, err)
	}
}

// testLogTexts: a text that is taken away goes from its row's entry, and from all that say the same; headers stay.
func testLogTexts(t *testing.T, open func(*testing.T, int64) engine) {
	a := annalsOf(t, open(t, unlimited), 2)
	row := a.say(2, "a secret")
	again := a.again(3, "a secret", row.Row, row)
	empty := a.say(2, "")
	a.commit()
	if got, err := a.EntryAt(3, again.Seq); string(got.Body) != "a secret" || len(got.Salt) != 16 || !got.Hidden || got.Same != row.Row || err != nil {
		t.Errorf("the hidden entry: %+v, %v", got, err)
	}
	if got, err := a.EntryAt(2, empty.Seq); len(got.Body) != 0 || !bytes.Equal(got.Salt, empty.Salt) || err != nil {
		t.Errorf("the entry of an empty text: %+v, %v", got, err)
	}
	if got, err := a.EntryOf(1, row.Row); got.ID != row.ID || err != nil {
		t.Errorf("the entry of the row: %+v, %v", got, err)
	}
	places, err := a.RowsOf(1, 3, row.Row)
	want := []Place{{3, 3, 1}, {4, 1, 2}, {5, 2, 2}, {6, 3, 2}, {7, 2, 3}, {7, 3, 3}}
	if diff := cmp.Diff(want, places); diff != "" || err != nil {
		t.Errorf("places mismatch, %v (-want +got):\n%s", err, diff)
	}
	for _, ask := range [][3]uint64{{1, 9, 8}, {9, 1, 9}, {1, math.MaxUint64, math.MaxUint64}, {math.MaxUint64, 0, 9}} {
		if places, err := a.RowsOf(ask[0], ask[1], ask[2]); len(places) > 0 || err != nil {
			t.Errorf("rows %v: %v, %v", ask, places, err)
		}
	}
	mustAppend(t, a, &Batch{Redactions: []Redaction{{1, row.Row}}})
	for _, e := range []Entry{row, again} {
		want := e
		want.Salt, want.Body = nil, nil
		got, err := a.EntryAt(e.Log, e.Seq)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || got.Salt != nil || err != nil {
			t.Errorf("entry mismatch, %v (-want +got):\n%s", err, diff)
		}
	}
	// One that says the same comes later, from a node that has not heard of it.
	late := a.again(3, "a secret", row.Row)
	a.batch.Redactions = []Redaction{{1, row.Row}}
	a.commit()
	if got, err := a.EntryAt(3, late.Seq); got.Salt != nil || got.Body != nil || err != nil {
		t.Errorf("the late one has kept its text: %+v, %v", got, err)
	}
	forgotten(t, a.engine)
	if s, ok := a.engine.(*subject); ok {
		if stands := standsIn(t, s.dir, "a secret"); len(stands) > 0 {
			t.Errorf("the text stands in %v", stands)
		}
	}
}

// testLogRetention: entries go with their rows, and acts stay.
func testLogRetention(t *testing.T, open func(*testing.T, int64) engine) {
	const limit = 100_000
	a := annalsOf(t, open(t, limit), 1)
	act := a.add(2, chat.Act, "readonly", 0, nil)
	hidden := a.again(3, "mine 0", 1)
	a.commit()
	for i := range 100 {
		a.say(1, fmt.Sprint(i, " ", string(make([]byte, 2000))))
		a.say(2, fmt.Sprint(i))
		a.commit()
	}
	low, err := a.Low(1)
	if err != nil || low < 20 {
		t.Fatalf("low %d, %v: nothing was let go of", low, err)
	}
	state := mustLoad(t, a)
	for _, l := range state.Logs[:3] {
		first, err := a.EntryAt(l.Num, l.Low)
		switch {
		case l.Low > l.Head:
			if !errors.Is(err, ErrNoRow) {
				t.Errorf("log %d: an entry behind its head: %+v, %v", l.Num, first, err)
			}
		case err != nil || first.Row < low || len(first.Salt) == 0 || string(first.Body) != a.text[string(first.ID[:])]:
			t.Errorf("log %d begins with %+v, %v; rows begin with %d", l.Num, first, err, low)
		}
		if _, err := a.Entries(l.Num, l.Low-1, l.Head, 1000); !errors.Is(err, ErrTrimmed) {
			t.Errorf("log %d below its low %d: %v, want ErrTrimmed", l.Num, l.Low, err)
		}
		if got, err := a.LogLow(l.Num); got != l.Low || err != nil {
			t.Errorf("log %d: low %d, %v, want %d", l.Num, got, err, l.Low)
		}
		if seq, err := a.LogAt(l.Num, 0); seq != l.Low || err != nil {
			t.Errorf("log %d at its beginning: %d, %v, want %d", l.Num, seq, err, l.Low)
		}
		want := a.logs[l.Num].Log
		want.Low = l.Low
		if l != want {
			t.Errorf("the log is %+v, want %+v", l, want)
		}
	}
	if l := state.Logs[2]; l.Low != hidden.Seq+1 || l.Head != hidden.Seq {
		t.Errorf("the log of which nothing is left has entries %d to %d", l.Low, l.Head)
	}
	if _, err := a.EntryOf(1, low-1); !errors.Is(err, ErrTrimmed) {
		t.Errorf("the entry of a row that is gone: %v, want ErrTrimmed", err)
	}
	if places, err := a.RowsOf(1, 0, low); len(places) != 1 || places[0].Row != low || err != nil {
		t.Errorf("rows to %d: %v, %v", low, places, err)
	}
	list, err := a.Causal(1, 0, wire.EntryID{}, math.MaxInt, false)
	if n := int(a.rooms[1].Head + 1 - low); len(list) != n || err != nil {
		t.Errorf("%d entries in causal order, want %d, %v", len(list), n, err)
	}
	if _, found, err := a.Pair([16]byte{7: 2}, 1); found || err != nil {
		t.Errorf("the pair of a row that is gone is there: %v", err)
	}
	if _, found, err := a.Pair([16]byte{7: 2}, a.logs[2].cseq); !found || err != nil {
		t.Errorf("the pair of the last row is not: %v", err)
	}
	act.Hidden = true
	if diff := cmp.Diff([]Entry{act}, state.Acts); diff != "" {
		t.Errorf("acts mismatch (-want +got):\n%s", diff)
	}
	if list, err := a.Entries(4, 1, 9, 1000); len(list) != 1 || err != nil {
		t.Errorf("of the other room: %v, %v", list, err)
	}
}

func compareCausal(a, b Entry) int {
	if a.Lamport != b.Lamport {
		return int(a.Lamport) - int(b.Lamport)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// testCausal: the same entries are in the same order, whichever came first, and can be gone through in pages, both ways.
func testCausal(t *testing.T, open func(*testing.T, int64) engine) {
	a := annalsOf(t, open(t, unlimited), 5)
	for i := range 7 { // of low lamports, late
		a.log(uint64(20+i), 1, newKey(t))
		a.say(uint64(20+i), "late")
	}
	first := a.say(1, "said twice")
	a.logs[2].forge = func(e *wire.Entry) { e.Lamport = first.Lamport - 1 } // listed in place of the row
	again := a.again(2, "said twice", first.Row)
	a.again(3, "said twice", first.Row, again) // behind both
	a.commit()
	all, err := a.Causal(1, 0, wire.EntryID{}, math.MaxInt, false)
	if len(all) != 23 || err != nil || !slices.IsSortedFunc(all, compareCausal) {
		t.Fatalf("%d entries in causal order, %v: %+v", len(all), err, all)
	}
	for i := range all {
		if all[i].Room != 1 || all[i].Hidden != (all[i].ID == again.ID) || all[i].ID == first.ID || all[i].Body != nil || len(all[i].Header) == 0 {
			t.Errorf("entry %d: %+v", i, all[i])
		}
	}
	for _, n := range []int{1, 4, 23, 50} {
		var forth, back []Entry
		at := Entry{}
		for {
			page, err := a.Causal(1, at.Lamport, at.ID, n, false)
			if err != nil || len(page) > n {
				t.Fatalf("a page of %d: %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			forth, at = append(forth, page...), page[len(page)-1]
		}
		at = Entry{Lamport: math.MaxUint64}
		for {
			page, err := a.Causal(1, at.Lamport, at.ID, n, true)
			if err != nil || len(page) > n {
				t.Fatalf("a page of %d: %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			back, at = append(back, page...), page[len(page)-1]
		}
		slices.Reverse(back)
		for way, got := range map[string][]Entry{"forth": forth, "back": back} {
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("pages of %d, %s, mismatch (-want +got):\n%s", n, way, diff)
			}
		}
	}
	if list, err := a.Causal(9, 0, wire.EntryID{}, 9, false); len(list) > 0 || err != nil {
		t.Errorf("of no room: %v, %v", list, err)
	}
	fork := a.logs[2].Log
	fork.Forked = 3
	mustAppend(t, a, &Batch{Logs: []Log{fork}, Forks: []ForkProof{{2, []byte("one")}, {2, []byte("proof")}}})
	state := mustLoad(t, a)
	if diff := cmp.Diff([]ForkProof{{2, []byte("proof")}}, state.Forks); diff != "" || state.Logs[1].Forked != 3 {
		t.Errorf("forks mismatch (-want +got):\n%s", diff)
	}
	want := slices.DeleteFunc(slices.Clone(all), func(e Entry) bool { return e.Log == 2 && e.Seq >= 3 })
	first.Salt, first.Body = nil, nil
	want = append(want, first) // now that what was listed in its place is not
	slices.SortFunc(want, compareCausal)
	got, err := a.Causal(1, 0, wire.EntryID{}, len(want), false)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("without those of a log that forks, mismatch, %v (-want +got):\n%s", err, diff)
	}
}

// testMarks: of a log that forks the rows stay, marked, and nothing finds them.
func testMarks(t *testing.T, open func(*testing.T, int64) engine) {
	l := newLibrary(t, open(t, unlimited), 2)
	l.write(t, [3]string{"1", "carol", "the fox"}, [3]string{"1", "bob", "a lynx and a fox"}, [3]string{"1", "bob", "gone with the fox"})
	mustAppend(t, l, &Batch{Marked: []Redaction{{1, 2}}, Redactions: []Redaction{{1, 3}}})
	if got, err := l.Search(&Query{Words: "lynx", Hits: 1, Bytes: 1}); len(got.Hits) > 0 || err != nil {
		t.Errorf("found at once: %v, %v", got.Hits, err)
	}
	settle(t, l.engine)
	for range 2 { // the second time changes nothing
		mustAppend(t, l, &Batch{Marked: []Redaction{{1, 2}, {1, 3}, {1, 4}, {9, 1}, {1, 0}, {1 << 63, 1 << 63}}})
		for _, seq := range []uint64{2, 3} {
			record, _, err := l.Page(1, seq, seq, 1)
			if err != nil {
				t.Fatal(err)
			}
			e, err := event(record)
			if want := []string{"a lynx and a fox", ""}[seq-2]; err != nil || !e.Opts.Forked || string(e.Body) != want || (seq == 3) != (len(e.Opts.Gone) > 0) {
				t.Errorf("row %d: %+v, %v", seq, e, err)
			}
		}
	}
	forgotten(t, l.engine)
	_, _, first := eventAt(t, l, 1, 1)
	l.rows[0].Record = first
	for _, tt := range []struct{ words, name, want string }{{"fox", "", "[0]"}, {"lynx", "", "[]"}, {"", "bob", "[]"}, {"", "carol", "[0]"}} {
		if got, _ := l.find(t, Query{Words: tt.words, Name: tt.name, Hits: 10, Bytes: 10_000}); fmt.Sprint(got) != tt.want {
			t.Errorf("search %q of %q: rows %v, want %v", tt.words, tt.name, got, tt.want)
		}
	}
	row := l.scribe.say(t, 1, "bob", "another fox", 9000)
	mustAppend(t, l, &Batch{Rows: []Row{row}, Marked: []Redaction{{1, row.Seq}}}) // before it was ever indexed
	settle(t, l.engine)
	if got, _ := l.find(t, Query{Words: "fox", Hits: 10, Bytes: 10_000}); fmt.Sprint(got) != "[0]" {
		t.Errorf("search: rows %v, want the first alone", got)
	}
}

// testPeers: whom a node knows, what it shares, and by what invitation.
func testPeers(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	sharing := Sharing{Space: [16]byte{1, 2}, Nonce: math.MaxUint64, Shared: true}
	one := Peer{Node: key(1), Key: [32]byte{9}, Mode: 2, Title: "first", Hosts: []string{"first:8080", "", "[::1]:8081"}, Expires: 5, Seen: 6, Fault: "it lied"}
	two := Peer{Node: key(2)}
	invite := Invite{Hash: [32]byte{1}, Uses: 1, Node: true}
	remote := Person{Key: key(3), Name: "dora", Remote: true}
	abroad := []Abroad{{Epoch: math.MaxUint64, From: 1 << 63, Num: 1, Name: [16]byte{1}, Via: [32]byte{2}}, {Epoch: 7, From: 1, Num: 2}, {Epoch: 7, From: 1, Num: 3}}
	mustAppend(t, e, &Batch{Sharing: &Sharing{Nonce: 1}, Peers: []Peer{{Node: key(2), Title: "x", Hosts: []string{"x"}}, {Node: key(3)}, one, two},
		Abroad: []Abroad{abroad[2], {Epoch: 9, From: 9, Num: 2}, abroad[1], abroad[0]}})
	mustAppend(t, e, &Batch{Sharing: &sharing, Peers: []Peer{{Node: key(3), Gone: true}, {Node: key(4), Gone: true}}, Invites: []Invite{invite}, People: []Person{remote}})
	for range 2 { // the second: what was loaded is the caller's
		got := mustLoad(t, e)
		if diff := cmp.Diff([]Peer{one, two}, got.Peers); diff != "" {
			t.Fatalf("peers mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(abroad, got.Abroad); diff != "" {
			t.Errorf("abroad mismatch (-want +got):\n%s", diff)
		}
		if got.Sharing != sharing {
			t.Errorf("sharing is %+v", got.Sharing)
		}
		if diff := cmp.Diff([]Invite{invite}, got.Invites); diff != "" {
			t.Errorf("invitations mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Person{remote}, got.People); diff != "" {
			t.Errorf("people mismatch (-want +got):\n%s", diff)
		}
		got.Peers[0].Hosts[0] = "other"
	}
	for name, b := range map[string]Batch{"sharing": {Sharing: &sharing}, "logs": {Logs: []Log{{}}}, "entries": {Entries: []Entry{{}}}, "abroad": {Abroad: abroad},
		"pairs": {Pairs: []Pair{{}}}, "peers": {Peers: []Peer{one}}, "forks": {Forks: []ForkProof{{}}}, "marks": {Marked: []Redaction{{}}}} {
		if b.Empty() {
			t.Errorf("a batch of %s is empty", name)
		}
	}
}
