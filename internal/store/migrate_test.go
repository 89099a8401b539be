package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files of the present schema")

// fixtures holds a store of each schema that has landed, and what is in it. They never change.
var fixtures = filepath.Join("..", "..", "testdata", "store")

// longer are the present steps and one more.
func longer(last step) []step { return append(append([]step{}, steps...), last) }

// older makes a store of the present schema with rows in it, and returns its folder and its state.
func older(t *testing.T) (dir string, state State) {
	t.Helper()
	dir = t.TempDir()
	s, w := mustOpen(t, dir, Options{}), newScribe()
	w.fill(t, s, 100, 1000)
	state = mustLoad(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, state
}

// holds wants the store in dir to be one of the present schema with this state.
func holds(t *testing.T, dir string, want State) {
	t.Helper()
	s := mustOpen(t, dir, Options{})
	if diff := cmp.Diff(want, mustLoad(t, s)); diff != "" || s.Opened().From != 0 {
		t.Errorf("%s, opened %+v, state mismatch (-want +got):\n%s", dir, s.Opened(), diff)
	}
	if page, _, err := s.Page(1, 1, 100, 1<<20); len(page) != 100_000 || err != nil {
		t.Errorf("%s: %d bytes of rows, %v", dir, len(page), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// alone is a copy of a database in a folder of its own.
func alone(t *testing.T, path string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	copyFile(t, path, filepath.Join(dir, fileName))
	return dir
}

func TestMigrate(t *testing.T) {
	extra := step(func(ctx context.Context, tx *sql.Conn) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE extra (x INTEGER) STRICT; INSERT INTO extra VALUES (1)")
		return err
	})
	dir, state := older(t)
	path := filepath.Join(dir, fileName)
	first := fmt.Sprintf("%s.schema%d", path, len(steps))
	if err := os.WriteFile(first, []byte("of another time"), 0o600); err != nil { // stays, and does not stand in the way
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".part", []byte("half a copy"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := openSubject(dir, Options{}, longer(extra))
	if err != nil {
		t.Fatal(err)
	}
	want := Opened{File: path, From: len(steps), Copy: first + ".2"}
	if diff := cmp.Diff(want, s.Opened()); diff != "" {
		t.Errorf("opened mismatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(state, mustLoad(t, s)); diff != "" {
		t.Errorf("state mismatch (-want +got):\n%s", diff)
	}
	count := 0
	if err := s.db.QueryRow("SELECT count(*) FROM extra").Scan(&count); err != nil || count != 1 {
		t.Errorf("the step was not taken once: %d, %v", count, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(first); string(data) != "of another time" || err != nil {
		t.Errorf("the copy that was there: %q, %v", data, err)
	}
	if info, err := os.Stat(want.Copy); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	if _, err := os.Stat(path + ".part"); err == nil {
		t.Error("half a copy stays")
	}
	holds(t, alone(t, want.Copy), state)
	refuse(t, dir, ErrNewer, fmt.Sprint(len(steps)+1))

	s, err = openSubject(dir, Options{}, longer(extra)) // the second time there is nothing to do
	if err != nil {
		t.Fatal(err)
	}
	if s.Opened() != (Opened{File: path}) {
		t.Errorf("a second start: %+v", s.Opened())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateFails(t *testing.T) {
	dir, state := older(t)
	before := files(t, dir)
	for name, fail := range map[string]step{
		"by itself": func(ctx context.Context, tx *sql.Conn) error {
			if _, err := tx.ExecContext(ctx, "DELETE FROM message; DROP TABLE room"); err != nil {
				return err
			}
			return errors.New("no")
		},
		"by SQLite": func(ctx context.Context, tx *sql.Conn) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM message; CREATE TABLE message (x)")
			return err
		},
	} {
		if _, err := open(dir, Options{}, longer(fail)); err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%s: error %v", name, err)
		}
		after := files(t, dir)
		if len(after) != len(before) {
			t.Errorf("%s: something stays beside the store: %d files, before %d", name, len(after), len(before))
		}
		holds(t, dir, state)
	}
}

// TestMigrateDies: whenever it dies, the store is the older one or the newer one, and a copy beside it is whole.
func TestMigrateDies(t *testing.T) {
	dir, state := older(t)
	var died string
	_, err := open(dir, Options{}, longer(func(ctx context.Context, tx *sql.Conn) error {
		if _, err := tx.ExecContext(ctx, "UPDATE message SET record = zeroblob(5000)"); err != nil {
			return err
		}
		died = crash(t, dir)
		copies, err := filepath.Glob(filepath.Join(dir, "*.schema*"))
		if err != nil || len(copies) != 1 {
			t.Fatalf("copies %q, %v", copies, err)
		}
		holds(t, alone(t, copies[0]), state)
		return errors.New("enough")
	}))
	if err == nil {
		t.Fatal("it was opened")
	}
	holds(t, died, state)
}

// story is what the fixture holds: every kind of entry, and texts of many scripts.
func story(t *testing.T, s *subject) {
	t.Helper()
	w, owner := newScribe(), identity.ID{1, 2, 3}
	rooms := []Room{
		{Num: 1, Name: "lobby", Topic: "Tee um drei ☕", Created: 1_700_000_000_000, Owner: owner},
		{Num: 2, Created: 1_700_000_000_500, Owner: owner, Peers: [2]identity.ID{owner, {9}}},
		{Num: 4, Name: "kürzer", Created: 1_700_000_001_000, Owner: identity.ID{9}, Keep: Keep{Set: true, Size: 2500}},
		{Num: 5, Name: "empty", Created: 1_700_000_002_000, Keep: Keep{Set: true, Age: 1}, Rules: Rules{ReadOnly: true, Slow: time.Minute}},
		{Num: 6, Name: "old", Created: 1_700_000_002_500, Owner: owner, Rules: Rules{Archived: true, Private: true, Open: 9, Welcome: "größe ☕", Pins: []chat.ID{{1}, {2}}}},
	}
	outcomes := []Outcome{{CSeq: 4, Seq: 40, ID: chat.ID{1}, Time: 1_700_000_003_000}, {CSeq: 5, Code: chat.BadText, Time: 1_700_000_003_001}, {CSeq: 6, Time: 1_700_000_002_999}}
	b := &Batch{
		Rooms: rooms,
		Origins: []Origin{{Num: 1, Token: OriginToken{1}, Key: owner, Last: 6, Outcomes: outcomes}, {Num: 2, Key: owner, Last: 3, Retired: true},
			{Num: 3, Token: OriginToken{3}, Key: identity.ID{9}}, {Num: 7, Token: OriginToken{7}, Key: owner, Retired: true}},
		People: []Person{{Key: owner, Name: "carol", Since: 1_700_000_000_000, Seen: 1_700_000_100_000}, {Key: identity.ID{9}, Name: "bób", Since: 5, Seen: 6, Inviter: owner},
			{Key: identity.ID{10}, Since: 7, Seen: 7, Seal: bytes.Repeat([]byte{5}, SealLen)}},
		Standings: []Standing{{Room: 1, Key: identity.ID{9}, Stance: Moderator, Since: 1_700_000_000_500, By: owner},
			{Room: 1, Key: identity.ID{10}, Stance: Banned, Since: 1_700_000_000_600, Until: 1_700_100_000_000, By: identity.ID{9}, Text: "spam — again"},
			{Room: 6, Key: identity.ID{9}, Stance: Member, Since: 5, From: 3, By: owner}},
		Bars: []Bar{{Room: 1, Network: netip.MustParseAddr("192.0.2.7"), Key: identity.ID{10}, Until: 1_700_100_000_000},
			{Room: 1, Network: netip.MustParseAddr("2001:db8::"), Key: identity.ID{10}}},
		Invites: []Invite{{Hash: [32]byte{1}, Room: "kürzer", Uses: 3, Expires: 1_700_100_000_000, Made: 1_700_000_000_000, Inviter: owner},
			{Hash: [32]byte{2}, Uses: 1000, Expires: 2, Made: 1, Inviter: identity.ID{9}}},
	}
	texts := []string{"good morning", "größer als Ähre", "今日は会議", "שלום", "🦊 fox", "naïve café", "a\nb", strings.Repeat("long ", 300)}
	for i := range 60 {
		room := []uint64{1, 1, 2, 4}[i%4]
		row := w.say(t, room, []string{"carol", "bób"}[i%2], texts[i%len(texts)], 1_700_000_000_000+int64(i)*1000)
		row.Salt = [16]byte{byte(i), 0xff}
		b.Rows = append(b.Rows, row)
	}
	b.Rows = append(b.Rows, w.say(t, 5, "carol", "gone", 1_700_000_100_000))
	b.Redactions = []Redaction{{Room: 1, Seq: 3}}
	mustAppend(t, s, b)
	if err := s.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NodeKey([]byte("key of a test")); err != nil {
		t.Fatal(err)
	}
	share(t, s)
}

// share is the part of the story that is about other nodes. Its entries are none that a node would take.
func share(t *testing.T, s *subject) {
	t.Helper()
	own, other := Log{Num: 1, Key: [32]byte{1}, Nonce: math.MaxUint64, Room: 1, Low: 1}, Log{Num: 2, Key: [32]byte{2}, Nonce: 5, Room: 1, Low: 7, Forked: 9}
	entry := func(log, seq, row uint64) Entry {
		e := Entry{Log: log, Seq: seq, Lamport: seq + log, ID: wire.EntryID{byte(log), byte(seq)}, Room: 1, Row: row, Header: fmt.Appendf(nil, "header %d", seq)}
		if log == 2 {
			e.Sig = bytes.Repeat([]byte{byte(seq)}, 64)
		}
		return e
	}
	hidden, act := entry(2, 8, 4), entry(1, 4, 4)
	hidden.Hidden, hidden.Same, hidden.Salt, hidden.Body = true, 1, bytes.Repeat([]byte{7}, 16), []byte("good morning")
	act.Act = true
	state := mustLoad(t, s)
	state.Sharing.Shared = true
	person, invite := Person{Key: identity.ID{11}, Name: "dora", Remote: true}, Invite{Hash: [32]byte{3}, Uses: 1, Made: 1, Expires: 2, Inviter: identity.ID{9}, Node: true}
	mustAppend(t, s, &Batch{Sharing: &state.Sharing, Logs: []Log{own, other, {Num: 4, Key: [32]byte{4}, Room: 4, Low: 3}},
		Entries: []Entry{entry(1, 1, 1), entry(1, 2, 2), entry(1, 3, 3), act, entry(2, 7, 5), hidden, entry(2, 9, 6)},
		Abroad:  []Abroad{{Epoch: math.MaxUint64, From: 3, Num: 9, Name: [16]byte{1}, Via: [32]byte{2}}},
		Pairs:   []Pair{{Origin: [16]byte{1}, CSeq: 1, Room: 1, Row: 5}, {Origin: [16]byte{1}, CSeq: 2, Room: 1, Row: 1}},
		Peers: []Peer{{Node: identity.ID{1}, Key: [32]byte{2}, Mode: 2, Title: "lüftung", Hosts: []string{"10.0.0.7:8080", "[fe80::1]:8080"}, Expires: 1_700_000_000_000,
			Seen: 1_700_000_000_000, Fault: "a signature that does not hold"}, {Node: identity.ID{2}}},
		Forks: []ForkProof{{2, []byte("proof")}}, Marked: []Redaction{{1, 6}}, People: []Person{person}, Invites: []Invite{invite}})
}

// asIn4 is a state as versions 3 and 4 of the schema would have it, which no other node had a part in.
func asIn4(state State) any {
	type person struct {
		Key         identity.ID
		Name        string
		Since, Seen int64
		Inviter     identity.ID
		Seal        []byte
		Gone        bool
	}
	var people []person
	for _, p := range state.People {
		people = append(people, person{p.Key, p.Name, p.Since, p.Seen, p.Inviter, p.Seal, p.Gone})
	}
	return struct {
		Epoch, LastRoom, LastFrom uint64
		Rooms                     []RoomState
		Origins                   []Origin
		People                    []person
		Invites                   []inviteIn4
		Standings                 []Standing
		Bars                      []Bar
	}{state.Epoch, state.LastRoom, state.LastFrom, state.Rooms, state.Origins, people, invitesIn4(state), state.Standings, state.Bars}
}

// inviteIn4 is an invitation as versions 2 to 4 had it.
type inviteIn4 struct {
	Hash          [32]byte
	Room          string
	Uses          int
	Expires, Made int64
	Inviter       identity.ID
}

func invitesIn4(state State) (invites []inviteIn4) {
	for _, i := range state.Invites {
		invites = append(invites, inviteIn4{i.Hash, i.Room, i.Uses, i.Expires, i.Made, i.Inviter})
	}
	return invites
}

// roomIn2 is a room as versions 1 and 2 had it, and its log.
type roomIn2 struct {
	Num       uint64
	Name      string
	Topic     string
	Created   int64
	Owner     identity.ID
	Peers     [2]identity.ID
	Keep      Keep
	Low, Head uint64
	Hash      chat.Hash
	Time      int64
}

func roomsIn2(state State) (rooms []roomIn2) {
	for _, r := range state.Rooms {
		rooms = append(rooms, roomIn2{r.Num, r.Name, r.Topic, r.Created, r.Owner, r.Peers, r.Keep, r.Low, r.Head, r.Hash, r.Time})
	}
	return rooms
}

// asIn2 is a state as version 2 of the schema would have it, in which nobody could moderate.
func asIn2(state State) any {
	type person struct {
		Key         identity.ID
		Name        string
		Since, Seen int64
		Inviter     identity.ID
		Gone        bool
	}
	var people []person
	for _, p := range state.People {
		people = append(people, person{p.Key, p.Name, p.Since, p.Seen, p.Inviter, p.Gone})
	}
	return struct {
		Epoch, LastRoom, LastFrom uint64
		Rooms                     []roomIn2
		Origins                   []Origin
		People                    []person
		Invites                   []inviteIn4
	}{state.Epoch, state.LastRoom, state.LastFrom, roomsIn2(state), state.Origins, people, invitesIn4(state)}
}

// asIn1 is a state as version 1 of the schema would have it, which had a table of names alone.
func asIn1(state State) any {
	type named struct {
		Name string
		Key  identity.ID
		Seen int64
	}
	var names []named
	for _, p := range state.People {
		if p.Name != "" {
			names = append(names, named{p.Name, p.Key, p.Since})
		}
	}
	slices.SortFunc(names, func(a, b named) int { return strings.Compare(a.Name, b.Name) })
	return struct {
		Epoch, LastRoom, LastFrom uint64
		Rooms                     []roomIn2
		Origins                   []Origin
		Names                     []named
	}{state.Epoch, state.LastRoom, state.LastFrom, roomsIn2(state), state.Origins, names}
}

// dump is all that a store holds, as text, in the words of a version of the schema.
func dump(t *testing.T, s *subject, version int) string {
	t.Helper()
	type row struct {
		Room, Seq uint64
		Time      int64
		Era       int
		Salt      string
		Hash      string
		Name      string
		Body      string
		ID        string
	}
	var rows []row
	err := each(t.Context(), s.db, "SELECT id, time, era, salt, hash, record FROM message ORDER BY id", func(scan scan) error {
		var r row
		var id int64
		var salt, hash, record []byte
		if err := scan(&id, &r.Time, &r.Era, &salt, &hash, &record); err != nil {
			return err
		}
		e, err := event(record)
		if err != nil {
			return err
		}
		r.Room, r.Seq = rowAt(id)
		r.Salt, r.Hash, r.Name, r.Body, r.ID = fmt.Sprintf("%x", salt), fmt.Sprintf("%x", hash), e.Name, string(e.Body), fmt.Sprintf("%x", e.ID)
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	nodeKey, err := s.NodeKey([]byte("none"))
	if err != nil {
		t.Fatal(err)
	}
	state := any(mustLoad(t, s))
	switch version {
	case 1:
		state = asIn1(state.(State))
	case 2:
		state = asIn2(state.(State))
	case 3, 4:
		state = asIn4(state.(State))
	}
	all := map[string]any{"state": state, "node key": string(nodeKey), "rows": rows}
	if version >= 5 {
		all["entries"], all["pairs"] = dumpLogs(t, s)
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// dumpLogs is what of a store's logs is not in its state.
func dumpLogs(t *testing.T, s *subject) (entries []Entry, pairs []Pair) {
	t.Helper()
	err := errors.Join(
		loadEntries(t.Context(), s.db, func(e Entry) error { entries = append(entries, e); return nil }, withTexts+"ORDER BY e.id"),
		each(t.Context(), s.db, "SELECT origin, cseq, room, row FROM pair ORDER BY origin, cseq", func(scan scan) error {
			var p Pair
			var origin []byte
			err := scan(&origin, &p.CSeq, &p.Room, &p.Row)
			p.Origin = [16]byte(origin)
			pairs = append(pairs, p)
			return err
		}))
	if err != nil {
		t.Fatal(err)
	}
	return entries, pairs
}

// TestMigrateTo2: whoever had a name keeps it and counts as here now, whoever wrote something has joined, and nobody else has.
func TestMigrateTo2(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := openWriter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bringUp(t.Context(), w.conn, path, steps[:1]); err != nil {
		t.Fatal(err)
	}
	_, err = w.conn.ExecContext(t.Context(), `
		INSERT INTO name VALUES ('carol', ?1, 5), ('Carol', ?2, 7), ('eve', ?1, 3);
		INSERT INTO origin VALUES (1, NULL, ?1, 9, NULL), (2, NULL, ?3, 1, NULL), (3, NULL, ?3, 4, NULL), (4, randomblob(16), ?4, 0, NULL)`,
		idOrNull(key(1)), idOrNull(key(2)), idOrNull(key(3)), idOrNull(key(4)))
	if err := errors.Join(err, w.close()); err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixMilli()
	s := mustOpen(t, dir, Options{})
	got := mustLoad(t, s).People
	for i := range got {
		if p := &got[i]; p.Name != "" {
			if p.Seen < before || p.Seen > time.Now().UnixMilli() {
				t.Errorf("%s was seen at %d, want the time of the upgrade", p.Name, p.Seen)
			}
			p.Seen = 0
		}
	}
	// Of two names of one key, which never were, the one given last stays; two that look alike are for the node to settle.
	want := []Person{{Key: key(1), Name: "carol", Since: 5}, {Key: key(2), Name: "Carol", Since: 7}, {Key: key(3)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("people mismatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Invite(nil), mustLoad(t, s).Invites); diff != "" {
		t.Errorf("invitations mismatch (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMigrateTo3: of a store in which nobody could moderate, nobody has, and everything can be written to it that this version writes.
func TestMigrateTo3(t *testing.T) {
	dir := alone(t, filepath.Join(fixtures, "schema2", fileName))
	s := mustOpen(t, dir, Options{})
	state := mustLoad(t, s)
	if len(state.Standings) > 0 || len(state.Bars) > 0 {
		t.Errorf("somebody has a standing: %+v, %+v", state.Standings, state.Bars)
	}
	for _, r := range state.Rooms {
		if !r.Rules.none() {
			t.Errorf("room %d has rules: %+v", r.Num, r.Rules)
		}
	}
	for i := range state.People {
		if state.People[i].Seal != nil {
			t.Errorf("%v has published a key", state.People[i].Key)
		}
		state.People[i].Seal = bytes.Repeat([]byte{byte(i)}, SealLen)
	}
	room := &state.Rooms[0]
	room.Rules = Rules{Archived: true, Slow: time.Second, Welcome: "hi", Pins: []chat.ID{{1}}}
	state.Standings = []Standing{{Room: room.Num, Key: key(7), Stance: Banned, Since: 1, By: key(1)}}
	state.Bars = []Bar{{Room: room.Num, Network: netip.MustParseAddr("192.0.2.7"), Key: key(7)}}
	mustAppend(t, s, &Batch{Rooms: []Room{room.Room}, People: state.People, Standings: state.Standings, Bars: state.Bars})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := mustLoad(t, mustOpen(t, dir, Options{}))
	if diff := cmp.Diff(state, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("state mismatch (-want +got):\n%s", diff)
	}
}

// TestMigrateTo5: a store of before is in a space of its own, writes logs of its own, and has shared nothing; its rows can be given entries.
func TestMigrateTo5(t *testing.T) {
	var spaces []Sharing
	for range 2 {
		s := mustOpen(t, alone(t, filepath.Join(fixtures, "schema4", fileName)), Options{})
		state := mustLoad(t, s)
		if state.Sharing.Shared || state.Sharing.Space == ([16]byte{}) || len(state.Logs)+len(state.Acts)+len(state.Abroad)+len(state.Peers)+len(state.Forks) > 0 {
			t.Errorf("somebody has a part in it: %+v", state)
		}
		for i := range state.People {
			if state.People[i].Remote {
				t.Errorf("%v has not joined", state.People[i].Key)
			}
		}
		for i := range state.Invites {
			if state.Invites[i].Node {
				t.Errorf("invitation %d is for nodes", i)
			}
		}
		spaces = append(spaces, state.Sharing)
		share(t, s)
		if e, err := s.EntryOf(1, 3); err != nil || e.Seq != 3 || e.Salt != nil {
			t.Errorf("the entry of a row whose text is gone: %+v, %v", e, err)
		}
		if e, err := s.EntryOf(1, 1); err != nil || string(e.Body) != "good morning" {
			t.Errorf("the entry of the first row: %+v, %v", e, err)
		}
	}
	if spaces[0].Space == spaces[1].Space || spaces[0].Nonce == spaces[1].Nonce {
		t.Errorf("two stores are in %+v", spaces)
	}
}

// TestFixtures: this version opens a store of each schema that has ever been, and all that was in it is there.
func TestFixtures(t *testing.T) {
	if dir := filepath.Join(fixtures, fmt.Sprint("schema", len(steps))); *update {
		if _, err := os.Stat(dir); err == nil {
			t.Fatalf("%s is there: what has landed never changes", dir)
		}
		s := mustOpen(t, t.TempDir(), Options{})
		story(t, s)
		golden := dump(t, s, len(steps))
		if err := errors.Join(s.Close(), os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "golden.json"), []byte(golden), 0o644)); err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(s.dir, fileName), filepath.Join(dir, fileName))
	}
	for version := range len(steps) {
		t.Run(fmt.Sprint("schema", version+1), func(t *testing.T) {
			dir := filepath.Join(fixtures, fmt.Sprint("schema", version+1))
			want, err := os.ReadFile(filepath.Join(dir, "golden.json"))
			if err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, alone(t, filepath.Join(dir, fileName)), Options{Keep: Keep{}})
			if diff := cmp.Diff(string(want), dump(t, s, version+1)); diff != "" {
				t.Errorf("the store mismatch (-want +got):\n%s", diff)
			}
			if from, copied := s.Opened().From, s.Opened().Copy; version+1 < len(steps) && (from != version+1 || copied != fmt.Sprintf("%s.schema%d", s.opened.File, version+1)) {
				t.Errorf("opened %+v, want it to come from %d and to say where its copy is", s.Opened(), version+1)
			}
			s.settle(t)
			for words, want := range map[string]int{"cafe": 1, "会議": 1, "AHRE": 1} {
				if found, err := s.Search(&Query{Words: words, Hits: 1, Bytes: 1}); len(found.Hits) != want || err != nil {
					t.Errorf("search %q: %d hits, %v; want %d", words, len(found.Hits), err, want)
				}
			}
		})
	}
}
