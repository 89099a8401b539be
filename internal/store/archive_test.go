package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// chronicler makes rows as the sequencer does: all that a check looks at holds.
type chronicler struct {
	t     testing.TB
	store *SQLite
	epoch uint64
	heads map[uint64]*RoomState
	from  map[uint64]*Origin
	clock int64
	batch Batch
	text  string
	act   string        // said in place of a text, and signed
	key   *identity.Key // of all origins that act
	forge func(*wire.Event)
}

// newChronicler opens a store in dir that chronicles are written to.
func newChronicler(t testing.TB, dir string, opt Options) *chronicler {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NodeKey(key.Text()); err != nil {
		t.Fatal(err)
	}
	return &chronicler{t: t, store: s, epoch: s.eras[len(s.eras)-1], heads: map[uint64]*RoomState{}, from: map[uint64]*Origin{}, clock: 1_800_000_000_000, key: key}
}

// say puts a message of an origin into a room; room and origin come into being with their first message.
func (c *chronicler) say(room, from uint64) {
	r, o := c.heads[room], c.from[from]
	if r == nil {
		r = &RoomState{Room: Room{Num: room, Name: fmt.Sprintf("room%d", room)}}
		c.heads[room] = r
		c.batch.Rooms = append(c.batch.Rooms, r.Room)
	}
	if o == nil {
		o = &Origin{Num: from, Key: key(byte(from))}
		if c.act != "" {
			o.Key = c.key.ID()
		}
		binary.BigEndian.PutUint64(o.Token[:], from)
		c.from[from] = o
	}
	c.clock++
	r.Head++
	o.Last++
	text := c.text
	if text == "" {
		text = fmt.Sprintf("origin %d says %d", from, o.Last)
	}
	row := Row{Header: chat.Header{Epoch: c.epoch, Room: room, Seq: r.Head, From: from, CSeq: o.Last, Time: c.clock, Kind: chat.Text, Name: "carol"}, Body: []byte(text)}
	event := &wire.Event{Room: room, Seq: row.Seq, From: from, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: row.Kind}
	if event.Body = row.Body; c.act != "" {
		act := identity.SignedAct{Epoch: c.epoch, From: from, CSeq: row.CSeq, Room: r.Name, Body: []byte(c.act)}
		row.Kind, row.Body = chat.Act, act.Body
		event.Kind, event.Body, event.Opts.Sig = row.Kind, row.Body, c.key.SignAct(&act)
		if c.forge != nil {
			c.forge(event)
			row.Body = event.Body
		}
	}
	rand.Read(row.Salt[:])
	row.ID = row.Header.ID(&row.Salt, row.Body)
	r.Hash = r.Hash.Next(row.ID)
	row.Hash = r.Hash
	event.ID = row.ID
	row.Record = wire.Must(nil, event)
	o.Outcomes = append(o.Outcomes[max(0, len(o.Outcomes)-chat.MaxInFlight+1):], Outcome{CSeq: o.Last, Seq: row.Seq, ID: row.ID, Time: row.Time})
	c.batch.Rows = append(c.batch.Rows, row)
}

// refuse uses a cseq of an origin up.
func (c *chronicler) refuse(from uint64) {
	o := c.from[from]
	o.Last++
	o.Outcomes = append(o.Outcomes[max(0, len(o.Outcomes)-chat.MaxInFlight+1):], Outcome{CSeq: o.Last, Code: chat.TooLong})
}

// commit appends what has been said.
func (c *chronicler) commit() {
	c.t.Helper()
	for _, o := range c.from {
		copied := *o
		copied.Outcomes = append([]Outcome(nil), o.Outcomes...)
		c.batch.Origins = append(c.batch.Origins, copied)
	}
	if err := c.store.Append(&c.batch); err != nil {
		c.t.Fatal(err)
	}
	c.batch = Batch{}
}

// small makes a store in dir: three rooms, a conversation, three origins, one of them retired, two people, two invitations, and a room without its first rows.
func small(t testing.TB, dir string) {
	c := newChronicler(t, dir, Options{Keep: Keep{}})
	direct := Room{Num: 4, Peers: [2]identity.ID{key(1), key(2)}}
	c.heads[4] = &RoomState{Room: direct}
	c.batch.Rooms = append(c.batch.Rooms, direct, Room{Num: 5, Name: "empty"})
	c.batch.People = []Person{{Name: "carol", Key: key(1), Seen: 1}, {Name: "bob~7q2f", Key: key(2), Seen: 2, Inviter: key(1)}, {Key: key(3), Since: 1, Seen: 1}}
	c.batch.Invites = []Invite{{Hash: [32]byte{1}, Uses: 1, Made: 1, Expires: 2, Inviter: key(1)}, {Hash: [32]byte{2}, Room: "ops", Uses: 9, Made: 1, Expires: 1, Inviter: key(1)}}
	for range 30 {
		for room := range uint64(4) {
			c.say(room+1, 1)
			c.say(room+1, 2)
			c.refuse(2)
		}
	}
	c.say(1, 3)
	c.commit()
	c.from[3].Retired = true
	c.say(1, 1)
	c.batch.Rooms = append(c.batch.Rooms, Room{Num: 2, Name: "room2", Keep: Keep{Set: true, Size: 500}})
	c.commit()
	if err := c.store.Retain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func still(Step) {}

// checkStore runs a check of the store at path.
func checkStore(t testing.TB, path string) (Tally, error) {
	t.Helper()
	a, err := OpenArchive(t.Context(), path)
	if err != nil {
		return Tally{}, err
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	return a.Check(t.Context(), still)
}

func TestArchiveRefuses(t *testing.T) {
	write := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), fileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	withSQL := func(t *testing.T, sql string) string {
		dir := t.TempDir()
		small(t, dir)
		alter(t, dir, sql)
		return dir
	}
	tests := map[string]struct {
		path func(t *testing.T) string
		want error
		says string
	}{
		"nothing there":      {func(t *testing.T) string { return filepath.Join(t.TempDir(), "no") }, ErrNoStore, "no chatnode store at"},
		"an empty folder":    {func(t *testing.T) string { return t.TempDir() }, ErrNoStore, ""},
		"an empty file":      {func(t *testing.T) string { return write(t, "") }, ErrNoStore, "empty"},
		"a text":             {func(t *testing.T) string { return write(t, "hello") }, ErrForeign, "not a chatnode store"},
		"a long text":        {func(t *testing.T) string { return write(t, strings.Repeat("hello", 1000)) }, ErrForeign, ""},
		"a folder as file":   {func(t *testing.T) string { d := t.TempDir(); os.Mkdir(filepath.Join(d, fileName), 0o700); return d }, ErrForeign, ""},
		"another's database": {func(t *testing.T) string { return withSQL(t, "PRAGMA application_id = 7") }, ErrForeign, ""},
		"of a later version": {func(t *testing.T) string { return withSQL(t, "PRAGMA user_version = 99") }, ErrNewer, "schema 99"},
		"of no version":      {func(t *testing.T) string { return withSQL(t, "PRAGMA user_version = 0") }, ErrOlder, "older"},
		"half of it": {func(t *testing.T) string {
			dir := t.TempDir()
			small(t, dir)
			if err := os.Truncate(filepath.Join(dir, fileName), 6000); err != nil {
				t.Fatal(err)
			}
			return dir
		}, ErrDamaged, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := tt.path(t)
			_, err := checkStore(t, path)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that is %v and says %q", err, tt.want, tt.says)
			}
			if _, err := Backup(t.Context(), path, filepath.Join(t.TempDir(), "copy"), still); !errors.Is(err, tt.want) {
				t.Errorf("a backup: %v, want %v", err, tt.want)
			}
		})
	}
}

// alter changes a store that nobody has open, as no node would.
func alter(t testing.TB, dir, sql string) {
	t.Helper()
	db := openDB(filepath.Join(dir, fileName), "mode=rw", "_pragma=writable_schema(1)")
	if _, err := db.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// An Archive leaves the store's file and its log as they are, even of a store that was not closed.
func TestArchiveWritesNothing(t *testing.T) {
	dir := t.TempDir()
	c := newChronicler(t, dir, Options{})
	c.say(1, 1)
	c.commit()
	before := contents(t, dir)
	if len(before[fileName+"-wal"]) == 0 {
		t.Fatal("the store has no log to leave as it is")
	}
	if _, err := checkStore(t, dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Error("the store's files have changed")
	}
}

// contents returns what the files of a store that matter hold: its database and the log of it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{fileName, fileName + "-wal"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// BenchmarkArchive measures what an operator waits for, on a million messages of 100 bytes.
func BenchmarkArchive(b *testing.B) {
	const rows = 1_000_000
	dir := b.TempDir()
	c := newChronicler(b, dir, Options{})
	c.text = strings.Repeat("x", 100)
	for range rows / 2000 {
		for i := range uint64(2000) {
			c.say(i%8+1, i%64+1)
		}
		c.commit()
	}
	if err := c.store.Close(); err != nil { // or its index would be measured too
		b.Fatal(err)
	}
	a, err := OpenArchive(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	rate := func(b *testing.B) { b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s") }
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if tally, err := a.Check(b.Context(), still); err != nil || tally.Messages != rows {
				b.Fatal(tally, err)
			}
		}
		rate(b)
	})
	b.Run("timeline", func(b *testing.B) {
		rooms, err := a.Rooms(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			n := 0
			if err := a.Timeline(b.Context(), rooms, 0, still, func(Message) error { n++; return nil }); err != nil || n != rows {
				b.Fatal(n, err)
			}
		}
		rate(b)
	})
	b.Run("backup", func(b *testing.B) {
		for b.Loop() {
			if _, err := Backup(b.Context(), dir, filepath.Join(b.TempDir(), "copy"), still); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
}
