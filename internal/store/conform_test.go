package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// engine is what every store does.
type engine interface {
	Load() (State, error)
	Append(b *Batch) error
	Page(room, from, to uint64, size int) (records []byte, next uint64, err error)
	HashAt(room, seq uint64) (chat.Hash, error)
	Low(room uint64) (uint64, error)
	SeqAt(room uint64, time int64) (uint64, error)
	Entries(log, from, to uint64, size int) ([]Entry, error)
	EntryAt(log, seq uint64) (Entry, error)
	EntryOf(room, row uint64) (Entry, error)
	LogLow(log uint64) (uint64, error)
	LogAt(log, row uint64) (uint64, error)
	Pair(origin [16]byte, cseq uint64) (Pair, bool, error)
	Causal(room, lamport uint64, id wire.EntryID, n int, back bool) ([]Entry, error)
	RowsOf(room, from, to uint64) ([]Place, error)
	Search(q *Query) (Found, error)
	Free() (int64, error)
	Close() error
}

const unlimited = math.MaxInt64

// conform holds a kind of store to what the package promises. open returns an empty one that keeps at most limit bytes of records.
func conform(t *testing.T, open func(t *testing.T, limit int64) engine) {
	tests := map[string]func(t *testing.T, open func(t *testing.T, limit int64) engine){
		"empty": testEmpty, "load": testLoad, "order": testOrder, "page": testPage, "hashes": testHashes, "trim": testTrim, "origins": testOrigins,
		"people": testPeople, "invites": testInvites, "moderation": testModeration, "topics": testTopics, "close": testClose, "own memory": testOwnMemory, "readers": testReaders, "seq at": testSeqAt,
		"rooms": testRooms, "odd bytes": testOddBytes, "free": testFree, "search": testSearch, "search pages": testSearchPages,
		"redact": testRedact, "logs": testLogs, "log order": testLogOrder, "log texts": testLogTexts, "log retention": testLogRetention,
		"causal": testCausal, "marks": testMarks, "peers": testPeers, "search hostile": testSearchHostile, "search bounds": testSearchBounds,
		"model": func(t *testing.T, open func(*testing.T, int64) engine) { testModel(t, open(t, unlimited)) },
		"model with a limit": func(t *testing.T, open func(*testing.T, int64) engine) {
			testModel(t, open(t, 20_000))
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func TestMemory(t *testing.T) {
	conform(t, func(t *testing.T, limit int64) engine {
		m := NewMemory(limit)
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	})
}

// scribe makes rows that follow one another, as the sequencer does.
type scribe struct {
	heads map[uint64]uint64
	hash  map[uint64]chat.Hash
}

func newScribe() *scribe { return &scribe{map[uint64]uint64{}, map[uint64]chat.Hash{}} }

// row returns the next row of a room, with a record of the given size.
func (w *scribe) row(room uint64, size int) Row {
	w.heads[room]++
	seq := w.heads[room]
	var id chat.ID
	binary.BigEndian.PutUint32(id[:], uint32(room))
	binary.BigEndian.PutUint32(id[4:], uint32(seq))
	w.hash[room] = w.hash[room].Next(id)
	return Row{Header: chat.Header{Room: room, Seq: seq, From: 1, CSeq: seq, Time: int64(seq) * 1000, Kind: chat.Text, Name: "carol"},
		Body: []byte("x"), ID: id, Hash: w.hash[room], Record: record(room, seq, size)}
}

// record returns bytes that no other row has.
func record(room, seq uint64, size int) []byte {
	b := fmt.Appendf(nil, "<%d:%d>", room, seq)
	return append(b, bytes.Repeat([]byte("."), max(0, size-len(b)))...)
}

// fill appends count rows of the given size to room 1, which it makes.
func (w *scribe) fill(t *testing.T, e engine, count, size int) {
	t.Helper()
	b := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}}
	for range count {
		b.Rows = append(b.Rows, w.row(1, size))
	}
	mustAppend(t, e, b)
}

func mustAppend(t *testing.T, e engine, b *Batch) {
	t.Helper()
	if err := e.Append(b); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t *testing.T, e engine) State {
	t.Helper()
	s, err := e.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(n byte) identity.ID { return identity.ID{n} }

func testEmpty(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	s := mustLoad(t, e)
	other := mustLoad(t, open(t, unlimited))
	if s.Epoch == 0 || s.Epoch == other.Epoch {
		t.Errorf("epoch %d is zero, or that of another store", s.Epoch)
	}
	if s.Sharing.Shared || s.Sharing.Space == other.Sharing.Space || s.Sharing.Nonce == other.Sharing.Nonce {
		t.Errorf("%+v is shared, or that of another store", s.Sharing)
	}
	s.Epoch, s.Sharing = 0, Sharing{}
	if diff := cmp.Diff(State{}, s); diff != "" {
		t.Errorf("state mismatch (-want +got):\n%s", diff)
	}
	if _, _, err := e.Page(1, 1, 1, 100); !errors.Is(err, ErrNoRow) {
		t.Errorf("page: %v, want ErrNoRow", err)
	}
	if _, err := e.HashAt(1, 0); !errors.Is(err, ErrNoRow) {
		t.Errorf("hash of no room: %v, want ErrNoRow", err)
	}
	if low, err := e.Low(1); low != 1 || err != nil {
		t.Errorf("low of no room: %d, %v; want 1", low, err)
	}
	if !(&Batch{}).Empty() || (&Batch{People: []Person{{}}}).Empty() || (&Batch{Invites: []Invite{{}}}).Empty() ||
		(&Batch{Standings: []Standing{{}}}).Empty() || (&Batch{Bars: []Bar{{}}}).Empty() {
		t.Error("Batch.Empty is wrong")
	}
	mustAppend(t, e, &Batch{})
}

func testLoad(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	fresh := mustLoad(t, e)
	lobby, direct := Room{Num: 1, Name: "lobby", Created: 5}, Room{Num: 3, Created: 7, Peers: [2]identity.ID{key(1), key(2)}}
	outcomes := []Outcome{{CSeq: 1, Seq: 1, ID: chat.ID{1}, Time: 10}, {CSeq: 2, Code: chat.BadText, Time: 11}}
	origin := Origin{Num: 2, Token: OriginToken{9}, Key: key(1), Last: 2, Outcomes: slices.Clone(outcomes)}
	person, invite := Person{Key: key(1), Name: "carol", Since: 9, Seen: 99}, Invite{Hash: [32]byte{3}, Uses: 1, Expires: 5, Inviter: key(1)}
	mustAppend(t, e, &Batch{Rooms: []Room{direct, lobby}, Origins: []Origin{origin}, People: []Person{person}, Invites: []Invite{invite}})
	mustAppend(t, e, &Batch{Rows: []Row{w.row(3, 10), w.row(1, 10), w.row(3, 10)}})
	if lobby.Direct() || !direct.Direct() {
		t.Error("Room.Direct is wrong")
	}
	origin.Outcomes = outcomes
	want := State{Epoch: fresh.Epoch, Sharing: fresh.Sharing, LastRoom: 3, LastFrom: 2, Origins: []Origin{origin}, People: []Person{person}, Invites: []Invite{invite}, Rooms: []RoomState{
		{Room: lobby, Low: 1, Head: 1, Hash: w.hash[1], Time: 1000}, {Room: direct, Low: 1, Head: 2, Hash: w.hash[3], Time: 2000}}}
	for range 2 { // the second: what was loaded is the caller's
		got := mustLoad(t, e)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("state mismatch (-want +got):\n%s", diff)
		}
		got.Rooms[0].Head, got.Origins[0].Outcomes[0].Seq, got.People[0].Seen = 77, 77, 77
	}
}

func testOrder(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	w.fill(t, e, 3, 10)
	hole, again, stranger := w.row(1, 10), w.row(1, 10), w.row(9, 10)
	hole.Seq, again.Seq = 5, 3
	good := newScribe()
	for range 3 {
		good.row(1, 10)
	}
	before := mustLoad(t, e)
	for name, rows := range map[string][]Row{"hole": {hole}, "again": {again}, "unknown room": {stranger}, "after a good one": {good.row(1, 10), hole, hole}} {
		err := e.Append(&Batch{Rows: rows, Rooms: []Room{{Num: 2, Name: "other"}}, People: []Person{{Name: "carol", Key: key(1)}}})
		if !errors.Is(err, ErrOrder) {
			t.Errorf("%s: error %v, want ErrOrder", name, err)
		}
		if diff := cmp.Diff(before, mustLoad(t, e)); diff != "" {
			t.Errorf("%s: something of the batch stayed (-want +got):\n%s", name, diff)
		}
	}
}

func testPage(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	w.fill(t, e, 10, 100)
	mustAppend(t, e, &Batch{Rooms: []Room{{Num: 2, Name: "empty"}}})
	tests := map[string]struct {
		room, from, to uint64
		size           int
		next           uint64
		err            error
	}{
		"all":               {1, 1, 10, 1 << 20, 11, nil},
		"no end":            {1, 1, math.MaxUint64, 1 << 20, 11, nil},
		"middle":            {1, 4, 6, 1 << 20, 7, nil},
		"one":               {1, 7, 7, 1 << 20, 8, nil},
		"last":              {1, 10, 10, 1, 11, nil},
		"exactly three":     {1, 1, 10, 300, 4, nil},
		"almost four":       {1, 1, 10, 399, 4, nil},
		"less than one":     {1, 2, 10, 99, 3, nil},
		"no size":           {1, 2, 10, 0, 3, nil},
		"to before size":    {1, 2, 3, 400, 4, nil},
		"after the head":    {1, 11, 20, 100, 0, ErrNoRow},
		"far after":         {1, math.MaxUint64, math.MaxUint64, 100, 0, ErrNoRow},
		"backwards":         {1, 5, 4, 100, 0, ErrNoRow},
		"seq 0":             {1, 0, 4, 100, 0, ErrTrimmed},
		"room without rows": {2, 1, 1, 100, 0, ErrNoRow},
		"no room":           {3, 1, 1, 100, 0, ErrNoRow},
	}
	for name, tt := range tests {
		got, next, err := e.Page(tt.room, tt.from, tt.to, tt.size)
		var want []byte
		for seq := tt.from; seq < tt.next; seq++ {
			want = append(want, record(tt.room, seq, 100)...)
		}
		if !bytes.Equal(got, want) || next != tt.next || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %d, %v; want %q, %d, %v", name, got, next, err, want, tt.next, tt.err)
		}
	}
}

func testHashes(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	b := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}}
	want := []chat.Hash{{}}
	for range 5 {
		b.Rows = append(b.Rows, w.row(1, 10))
		want = append(want, w.hash[1])
	}
	mustAppend(t, e, b)
	for seq, hash := range want {
		if got, err := e.HashAt(1, uint64(seq)); got != hash || err != nil {
			t.Errorf("hash at %d: %x, %v; want %x", seq, got, err, hash)
		}
	}
	for _, seq := range []uint64{6, math.MaxUint64} {
		if _, err := e.HashAt(1, seq); !errors.Is(err, ErrNoRow) {
			t.Errorf("hash at %d: %v, want ErrNoRow", seq, err)
		}
	}
}

func testTrim(t *testing.T, open func(*testing.T, int64) engine) {
	const limit = 100_000
	e, w := open(t, limit), newScribe()
	mustAppend(t, e, &Batch{Rooms: []Room{{Num: 2, Name: "quiet"}}, Rows: []Row{w.row(2, 100)}})
	hashes := []chat.Hash{{}}
	for range 300 {
		w.fill(t, e, 1, 1000)
		hashes = append(hashes, w.hash[1])
	}
	low, err := e.Low(1)
	if err != nil || low <= 200 || low > 280 {
		t.Fatalf("low %d, %v; want the limit's worth of rows", low, err)
	}
	if quiet, err := e.Low(2); quiet != 1 || err != nil {
		t.Errorf("low of the quiet room: %d, %v; want 1", quiet, err)
	}
	if got := mustLoad(t, e).Rooms[0]; got.Low != low || got.Head != 300 || got.Hash != w.hash[1] || got.Time != 300_000 {
		t.Errorf("state %+v after trimming below %d", got, low)
	}
	for seq := range uint64(301) {
		got, err := e.HashAt(1, seq)
		switch {
		case seq == 0 || seq+1 >= low:
			if got != hashes[seq] || err != nil {
				t.Errorf("hash at %d with low %d: %x, %v; want %x", seq, low, got, err, hashes[seq])
			}
		case !errors.Is(err, ErrTrimmed):
			t.Errorf("hash at %d with low %d: %v, want ErrTrimmed", seq, low, err)
		}
		_, _, err = e.Page(1, seq, seq, 10)
		if trimmed := seq < low; trimmed != errors.Is(err, ErrTrimmed) || !trimmed && err != nil {
			t.Errorf("page at %d with low %d: %v", seq, low, err)
		}
	}

	// One record over the limit leaves nothing, and the log goes on behind it.
	w.fill(t, e, 1, limit+1)
	if low, err := e.Low(1); low != 302 || err != nil {
		t.Errorf("low %d, %v; want 302, behind the last row", low, err)
	}
	if got, err := e.HashAt(1, 301); got != w.hash[1] || err != nil {
		t.Errorf("hash at the head of a room without rows: %x, %v; want %x", got, err, w.hash[1])
	}
	if _, _, err := e.Page(1, 301, 301, 10); !errors.Is(err, ErrTrimmed) {
		t.Errorf("page of the last row: %v, want ErrTrimmed", err)
	}
	if _, _, err := e.Page(1, 302, 302, 10); !errors.Is(err, ErrNoRow) {
		t.Errorf("page behind the last row: %v, want ErrNoRow", err)
	}
	w.fill(t, e, 1, 50)
	if got, next, err := e.Page(1, 302, 400, 1000); string(got) != string(record(1, 302, 50)) || next != 303 || err != nil {
		t.Errorf("page after all was trimmed: %q, %d, %v", got, next, err)
	}
}

func testOrigins(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	mustAppend(t, e, &Batch{Origins: []Origin{
		{Num: 1, Token: OriginToken{1}, Key: key(1), Last: 1, Outcomes: []Outcome{{CSeq: 1, Seq: 1}}},
		{Num: 2, Token: OriginToken{2}, Key: key(2)},
		{Num: 3, Token: OriginToken{3}, Key: key(1)},
	}})
	mustAppend(t, e, &Batch{Origins: []Origin{
		{Num: 1, Token: OriginToken{1}, Key: key(1), Last: 2, Outcomes: []Outcome{{CSeq: 2, Seq: 7}}, Retired: true},
		{Num: 2, Token: OriginToken{2}, Key: key(2), Retired: true},
		{Num: 3, Token: OriginToken{3}, Key: key(1), Last: 1, Outcomes: []Outcome{{CSeq: 1, Code: chat.Empty}}},
		{Num: 4, Token: OriginToken{4}, Key: key(3), Retired: true},
	}})
	s := mustLoad(t, e)
	want := []Origin{
		{Num: 1, Key: key(1), Last: 2, Retired: true},
		{Num: 3, Token: OriginToken{3}, Key: key(1), Last: 1, Outcomes: []Outcome{{CSeq: 1, Code: chat.Empty}}},
	}
	if diff := cmp.Diff(want, s.Origins, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("origins mismatch (-want +got):\n%s", diff)
	}
	if s.LastFrom != 4 {
		t.Errorf("last origin %d, want 4: numbers are never reused", s.LastFrom)
	}
}

// testPeople: entries of a batch are made true one after the other, so that two can change names in it.
func testPeople(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	mustAppend(t, e, &Batch{People: []Person{
		{Key: key(3), Since: 1, Seen: 2, Inviter: key(1)}, {Key: key(1), Name: "carol", Since: 3, Seen: 4}, {Key: key(2), Name: "bob", Since: 5, Seen: 6},
	}})
	mustAppend(t, e, &Batch{People: []Person{
		{Key: key(1), Since: 3, Seen: 7}, {Key: key(2), Name: "carol", Since: 5, Seen: 7}, {Key: key(1), Name: "bob", Since: 3, Seen: 7},
		{Key: key(3), Gone: true}, {Key: key(4), Gone: true}, {Key: key(5), Name: "eve", Since: 8, Seen: 8, Inviter: key(3)},
	}})
	want := []Person{{Key: key(1), Name: "bob", Since: 3, Seen: 7}, {Key: key(2), Name: "carol", Since: 5, Seen: 7}, {Key: key(5), Name: "eve", Since: 8, Seen: 8, Inviter: key(3)}}
	if diff := cmp.Diff(want, mustLoad(t, e).People); diff != "" {
		t.Errorf("people mismatch (-want +got):\n%s", diff)
	}
	mustAppend(t, e, &Batch{People: []Person{{Key: key(5), Gone: true}, {Key: key(6), Name: "eve"}}}) // whoever is gone has no name
	if got := mustLoad(t, e).People; len(got) != 3 || got[2].Key != key(6) {
		t.Errorf("people are %+v", got)
	}
}

func testInvites(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	two := Invite{Hash: [32]byte{2}, Room: "ops", Uses: chat.MaxUses, Expires: 10, Made: 5, Inviter: key(1)}
	one := Invite{Hash: [32]byte{1}, Uses: 1, Expires: 11, Made: 6, Inviter: key(1)}
	mustAppend(t, e, &Batch{Invites: []Invite{two, one, {Hash: [32]byte{3}, Uses: 1, Inviter: key(2)}}})
	two.Uses--
	mustAppend(t, e, &Batch{Invites: []Invite{two, {Hash: [32]byte{3}}, {Hash: [32]byte{4}}}})
	if diff := cmp.Diff([]Invite{one, two}, mustLoad(t, e).Invites); diff != "" {
		t.Errorf("invitations mismatch (-want +got):\n%s", diff)
	}
}

// testModeration: what moderators set and do is there after the batch, and a batch may change it twice.
func testModeration(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	rules := Rules{ReadOnly: true, Private: true, Open: 7, Slow: time.Minute, Welcome: "hello", Pins: []chat.ID{{2}, {1}}}
	seal := bytes.Repeat([]byte{7}, SealLen)
	mute := Standing{Room: 1, Key: key(2), Stance: Muted, Since: 5, Until: 9, By: key(1), Text: "spam"}
	ban := Standing{Room: 1, Key: key(2), Stance: Banned, Since: 6, By: key(1)}
	member := Standing{Room: 1, Key: key(4), Stance: Member, Since: 7, From: 1 << 40, By: key(2)}
	bar := Bar{Room: 1, Network: netip.MustParseAddr("192.0.2.1"), Key: key(2)}
	mustAppend(t, e, &Batch{Rooms: []Room{{Num: 1, Name: "lobby", Rules: Rules{Archived: true}}, {Num: 1, Name: "lobby", Rules: rules}},
		People: []Person{{Key: key(2), Seal: seal}, {Key: key(3), Seal: seal}, {Key: key(3)}}, Bars: []Bar{bar, {Room: 1, Network: bar.Network, Key: key(4)}},
		Standings: []Standing{ban, {Room: 1, Key: key(2), Stance: Muted, By: key(9)}, mute, {Room: 1, Key: key(4), Stance: Member, From: 1}, member, {Room: 1, Key: key(3), Stance: Moderator, By: key(1)}}})
	mustAppend(t, e, &Batch{Standings: []Standing{{Room: 1, Key: key(3), Stance: Moderator, Gone: true}, {Room: 1, Key: key(9), Stance: Member, Gone: true}},
		Bars: []Bar{{Room: 1, Network: bar.Network, Key: key(4), Gone: true}}})
	for range 2 { // the second: what was loaded is the caller's
		got := mustLoad(t, e)
		if diff := cmp.Diff([]Standing{mute, ban, member}, got.Standings); diff != "" {
			t.Errorf("standings mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Bar{bar}, got.Bars, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("bars mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(rules, got.Rooms[0].Rules); diff != "" {
			t.Errorf("rules mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Person{{Key: key(2), Seal: seal}, {Key: key(3)}}, got.People); diff != "" {
			t.Fatalf("people mismatch (-want +got):\n%s", diff)
		}
		got.Rooms[0].Rules.Pins[0], got.People[0].Seal[0] = chat.ID{9}, 9
	}
}

func testTopics(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	w.fill(t, e, 3, 10)
	mustAppend(t, e, &Batch{Rooms: []Room{{Num: 1, Name: "lobby", Topic: "night shift", Created: 3}}})
	want := RoomState{Room: Room{Num: 1, Name: "lobby", Topic: "night shift", Created: 3}, Low: 1, Head: 3, Hash: w.hash[1], Time: 3000}
	if diff := cmp.Diff([]RoomState{want}, mustLoad(t, e).Rooms); diff != "" {
		t.Errorf("a new topic touched the log (-want +got):\n%s", diff)
	}
}

func testClose(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	w.fill(t, e, 1, 10)
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	_, errLoad := e.Load()
	_, _, errPage := e.Page(1, 1, 1, 10)
	_, errHash := e.HashAt(1, 1)
	_, errLow := e.Low(1)
	_, errSeq := e.SeqAt(1, 1)
	_, errEntries := e.Entries(1, 1, 1, 1)
	_, errEntry := e.EntryAt(1, 1)
	_, errOf := e.EntryOf(1, 1)
	_, errLogLow := e.LogLow(1)
	_, errLogAt := e.LogAt(1, 1)
	_, _, errPair := e.Pair([16]byte{}, 1)
	_, errCausal := e.Causal(1, 0, wire.EntryID{}, 1, false)
	_, errRows := e.RowsOf(1, 1, 1)
	_, errSearch := e.Search(&Query{Words: "x", Hits: 1})
	_, errFree := e.Free()
	for call, err := range map[string]error{"Load": errLoad, "Append": e.Append(&Batch{}), "Page": errPage, "HashAt": errHash, "Low": errLow,
		"SeqAt": errSeq, "Search": errSearch, "Entries": errEntries, "EntryAt": errEntry, "EntryOf": errOf, "LogLow": errLogLow, "LogAt": errLogAt,
		"Pair": errPair, "Causal": errCausal, "RowsOf": errRows, "Free": errFree} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", call, err)
		}
	}
}

// testOwnMemory: a page is the caller's to change.
func testOwnMemory(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	w.fill(t, e, 1, 50)
	for range 2 {
		got, _, err := e.Page(1, 1, 1, 100)
		if err != nil || !bytes.Equal(got, record(1, 1, 50)) {
			t.Fatalf("page %q, %v", got, err)
		}
		clear(got)
	}
}

// testReaders: while one appends, each reader sees whole batches of rows that follow one another.
func testReaders(t *testing.T, open func(*testing.T, int64) engine) {
	const rows = 5
	e, w := open(t, 50_000), newScribe()
	w.fill(t, e, rows, 100)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for next := uint64(1); ; {
				select {
				case <-done:
					return
				default:
				}
				s, err := e.Load()
				if err != nil || s.Rooms[0].Head%rows != 0 {
					t.Errorf("head %d inside a batch: %v", s.Rooms[0].Head, err)
					return
				}
				page, after, err := e.Page(1, next, s.Rooms[0].Head, 1000)
				switch {
				case errors.Is(err, ErrTrimmed):
					next = s.Rooms[0].Head
				case errors.Is(err, ErrNoRow):
				case err != nil || !bytes.HasPrefix(page, fmt.Appendf(nil, "<1:%d>", next)) || len(page) != 100*int(after-next):
					t.Errorf("page from %d to %d: %q, %v", next, after, page, err)
					return
				default:
					next = after
				}
				if _, err := e.HashAt(1, next-1); err != nil && !errors.Is(err, ErrTrimmed) {
					t.Errorf("hash at %d: %v", next-1, err)
					return
				}
			}
		})
	}
	for range unhurried(200) {
		w.fill(t, e, rows, 100)
	}
	close(done)
	wg.Wait()
}

func testSeqAt(t *testing.T, open func(*testing.T, int64) engine) {
	e, w := open(t, unlimited), newScribe()
	b := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}, {Num: 2, Name: "empty"}}}
	for _, at := range []int64{10, 20, 20, 20, 30, 45} {
		row := w.row(1, 10)
		row.Time = at
		b.Rows = append(b.Rows, row)
	}
	mustAppend(t, e, b)
	for at, want := range map[int64]uint64{math.MinInt64: 1, 0: 1, 10: 1, 11: 2, 20: 2, 21: 5, 30: 5, 31: 6, 45: 6, 46: 7, math.MaxInt64: 7} {
		if got, err := e.SeqAt(1, at); got != want || err != nil {
			t.Errorf("seq at %d: %d, %v; want %d", at, got, err, want)
		}
	}
	if got, err := e.SeqAt(2, 5); got != 1 || err != nil {
		t.Errorf("seq in a room without rows: %d, %v; want 1", got, err)
	}
	if _, err := e.SeqAt(3, 5); !errors.Is(err, ErrNoRow) {
		t.Errorf("seq in no room: %v, want ErrNoRow", err)
	}

	e, w = open(t, 10_000), newScribe()
	w.fill(t, e, 300, 100)
	low, err := e.Low(1)
	if err != nil || low == 1 {
		t.Fatalf("low %d, %v", low, err)
	}
	for at, want := range map[int64]uint64{0: low, 1000: low, int64(low) * 1000: low, int64(low+1) * 1000: low + 1, 300_001: 301} {
		if got, err := e.SeqAt(1, at); got != want || err != nil {
			t.Errorf("seq at %d with low %d: %d, %v; want %d", at, low, got, err, want)
		}
	}
}

// testRooms: all that a room's entry holds comes back, however often it changes.
func testRooms(t *testing.T, open func(*testing.T, int64) engine) {
	e := open(t, unlimited)
	first := Room{Num: 1, Name: "lobby", Created: 1, Owner: key(1)}
	second := Room{Num: 2, Created: -2, Owner: key(2), Peers: [2]identity.ID{key(2), key(3)}, Keep: Keep{Set: true, Age: 1, Size: math.MaxInt64}}
	third := Room{Num: 3, Name: "kept", Keep: Keep{Set: true}}
	mustAppend(t, e, &Batch{Rooms: []Room{first, second, third, {Num: 1, Name: "of the same batch"}, first}})
	first.Keep = Keep{Set: true, Age: 90 * 24 * time.Hour, Size: 1 << 30}
	third.Keep, third.Owner, third.Name, third.Topic = Keep{}, key(9), "renamed", "tea"
	mustAppend(t, e, &Batch{Rooms: []Room{third, first}})
	var got []Room
	for _, r := range mustLoad(t, e).Rooms {
		if r.Low != 1 || r.Head != 0 {
			t.Errorf("room %d: rows %d to %d, want none", r.Num, r.Low, r.Head)
		}
		got = append(got, r.Room)
	}
	if diff := cmp.Diff([]Room{first, second, third}, got); diff != "" {
		t.Errorf("rooms mismatch (-want +got):\n%s", diff)
	}
}

// testOddBytes: a store takes text as it is. What may stand in it is for others to say.
func testOddBytes(t *testing.T, open func(*testing.T, int64) engine) {
	odd := []string{"", " ", "a\x00b", "\xff\xfe", "'); DROP TABLE person; --", "ſtraße\u0301", strings.Repeat("長", 5000)}
	e := open(t, unlimited)
	b := &Batch{}
	for i, text := range odd {
		b.Rooms = append(b.Rooms, Room{Num: uint64(i + 1), Name: text, Topic: text})
		b.People = append(b.People, Person{Name: text, Key: key(byte(i + 1)), Seen: int64(-i)})
		b.Invites = append(b.Invites, Invite{Hash: [32]byte{byte(i)}, Room: text, Uses: math.MaxInt32, Expires: int64(-i)})
		b.Origins = append(b.Origins, Origin{Num: uint64(i + 1), Token: OriginToken{byte(i)}, Key: key(1), Last: math.MaxInt64})
	}
	mustAppend(t, e, b)
	s := mustLoad(t, e)
	var rooms []Room
	for _, r := range s.Rooms {
		rooms = append(rooms, r.Room)
	}
	got := Batch{Rooms: rooms, People: s.People, Invites: s.Invites, Origins: s.Origins}
	if diff := cmp.Diff(*b, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func testFree(t *testing.T, open func(*testing.T, int64) engine) {
	if free, err := open(t, unlimited).Free(); free <= 0 || err != nil {
		t.Errorf("free: %d, %v", free, err)
	}
}
