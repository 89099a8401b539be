package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// shared makes a store in dir that shares logs: of all that a check looks at something is there.
func shared(t testing.TB, dir string, change func(a *annalist)) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := annalsOf(t, s, 10)
	a.add(2, chat.Act, "readonly", 0, nil)
	row := a.say(3, "a secret")
	a.again(2, "a secret", row.Row)
	a.say(1, "a second secret")
	a.batch.Redactions = []Redaction{{1, row.Row}, {1, row.Row + 1}}
	twice := a.say(1, "said twice")
	a.again(3, "said twice", twice.Row)
	a.commit()
	a.log(6, 2, newKey(t)).Low = 5
	a.logs[6].leap(5)
	a.batch.Logs[0].Low = 5
	a.logs[6].forge = func(e *wire.Entry) { e.Lamport, e.Prev = 77, bytes.Repeat([]byte{1}, 32) }
	a.say(6, "the first that anybody has")
	a.room(7, "own")
	a.log(7, 7, nil)
	for range 3 {
		a.say(7, "mine alone")
	}
	a.fork(4, 9)
	friend := newKey(t)
	a.batch.Peers = []Peer{{Node: friend.ID(), Key: [32]byte(friend.Public()), Mode: wire.AdmitIt, Hosts: []string{"10.0.0.1:8080"}}, {Node: key(4), Mode: wire.AdmitDrop}}
	if change != nil {
		change(a)
	}
	a.commit()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// fork has a log fork, which a proof shows.
func (a *annalist) fork(log, seq uint64) {
	l := a.logs[log]
	e, err := a.EntryAt(log, seq)
	if err != nil {
		a.t.Fatal(err)
	}
	list, err := a.Entries(log, seq, l.Head, 1<<20)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range list {
		a.batch.Marked = append(a.batch.Marked, Redaction{list[i].Room, list[i].Row})
	}
	other, err := wire.DecodeEntry(e.Header)
	if err != nil {
		a.t.Fatal(err)
	}
	other.Time++
	name := wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: a.rooms[l.Room].LogName()}
	id := wire.EntryIDOf(name.ID(), other.Encode())
	f := &wire.Fork{Type: wire.TypeFork, Log: name, A: wire.Signed{Entry: e.Header, Sig: e.Sig}, B: wire.Signed{Entry: other.Encode(), Sig: l.key.Sign(wire.EntryDomain, id[:])}}
	if bytes.Compare(e.ID[:], id[:]) > 0 {
		f.A, f.B = f.B, f.A
	}
	l.Forked = seq
	a.batch.Logs = append(a.batch.Logs, l.Log)
	a.batch.Forks = append(a.batch.Forks, ForkProof{log, wire.Must(nil, f)})
}

// entryAt is the id of an entry in SQL.
func entryAt(log, seq uint64) string { return fmt.Sprint(rowID(log, seq)) }

func TestCheckOfASharedStore(t *testing.T) {
	dir := t.TempDir()
	shared(t, dir, nil)
	got, err := checkStore(t, dir)
	if err != nil || got.Logs != 7 || got.Entries != 60 || got.Messages != 58 {
		t.Errorf("tally %+v, %v; want 7 logs, and of 60 entries 58 with rows", got, err)
	}
	dir = t.TempDir()
	shared(t, dir, func(a *annalist) { // a publish that was offered to another node before, and whose row came from there
		seq := a.say(2, "mine, from elsewhere").Row
		a.batch.Origins = append(a.batch.Origins, Origin{Num: 900, Token: OriginToken{9}, Key: key(1), Last: 1, Outcomes: []Outcome{{CSeq: 1, Seq: seq}}})
	})
	if _, err := checkStore(t, dir); err != nil {
		t.Errorf("a publish that another node had before: %v", err)
	}
	for name, sql := range map[string]string{
		"rows that are still to be given entries": "DELETE FROM entry WHERE id = " + entryAt(7, 3) + "; UPDATE log SET head = 2, (head_id, lamport) = (SELECT name, lamport FROM entry WHERE id = " +
			entryAt(7, 2) + ") WHERE num = 7",
		"a peer that nobody has seen": "UPDATE peer SET key = NULL",
		"pairs that are forgotten":    "DELETE FROM pair",
	} {
		dir := t.TempDir()
		shared(t, dir, nil)
		alter(t, dir, sql)
		if _, err := checkStore(t, dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir = t.TempDir()
	s := mustOpen(t, dir, Options{Total: 2000})
	a := annalsOf(t, s, 5)
	a.add(2, chat.Act, "readonly", 0, nil)
	for range 4 {
		a.commit()
		if err := s.Retain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got, err := checkStore(t, dir); err != nil || got.Logs != 5 {
			t.Errorf("after rows were let go of: %+v, %v", got, err)
		}
		for i := range 10 {
			a.say(2, fmt.Sprint("more ", i))
		}
	}
	if low, err := s.LogLow(1); low != 6 || err != nil {
		t.Errorf("the log begins with %d, %v: not all of it was let go of", low, err)
	}
}

// Each thing that can't be true of logs is found.
func TestCheckFindsEachFaultOfLogs(t *testing.T) {
	forge := func(log uint64, f func(*wire.Entry)) func(*annalist) {
		return func(a *annalist) { a.logs[log].forge = f; a.say(log, "forged") }
	}
	tamper := func(log uint64, f func(*Entry)) func(*annalist) {
		return func(a *annalist) { a.logs[log].tamper = f; a.say(log, "tampered") }
	}
	rephrase := func(log uint64, f func(*wire.Event)) func(*annalist) {
		return func(a *annalist) {
			a.logs[log].rephrase = func(e *wire.Event) error { f(e); return nil }
			a.say(log, "rephrased")
		}
	}
	tests := map[string]struct {
		make func(a *annalist)
		sql  string
		want string
	}{
		"an entry is missing":         {sql: "DELETE FROM entry WHERE id = " + entryAt(7, 2), want: "room own, row 3: it has an entry, and the row before has none"},
		"a hidden one is missing":     {sql: "DELETE FROM entry WHERE hidden = 1 AND id >> 36 = 2", want: "room lobby, log 2, entry 12: its log should end with it"},
		"the first one is missing":    {sql: "UPDATE log SET low = 0 WHERE num = 2", want: "log 2: it can't have entries 0 to"},
		"a log is empty":              {sql: "INSERT INTO log SELECT 9, key, 99, room, 1, 3, head_id, 5, 0 FROM log WHERE num = 2", want: "room lobby, log 9, entry 1: it is missing, as all of its log are"},
		"the last one is missing":     {sql: "DELETE FROM entry WHERE id = " + entryAt(3, 12), want: "room lobby, log 3, entry 12: its log should end with it"},
		"a head too low":              {sql: "UPDATE log SET head = 8 WHERE num = 3", want: "room lobby, log 3, entry 9: it is missing; the one that is there is entry 9"},
		"another head's id":           {sql: "UPDATE log SET head_id = zeroblob(32) WHERE num = 3", want: "room lobby, log 3, entry 12: its log should end with it"},
		"another head's lamport":      {sql: "UPDATE log SET lamport = 3 WHERE num = 3", want: "room lobby, log 3, entry 12: its log should end with it"},
		"of no log":                   {sql: "DELETE FROM log WHERE num = 5", want: "conversation 3, row 1: its entry is of log 5, which is none of the room"},
		"a hidden one of no log":      {sql: "UPDATE entry SET id = (9 << 36) + 1 WHERE hidden = 1 AND id >> 36 = 3", want: "room lobby, log 3, entry 12: its log should end with it"},
		"two entries of a row":        {sql: "UPDATE entry SET row = 1 WHERE id = " + entryAt(7, 2), want: "room own, row 1: it has two entries"},
		"a row of another room":       {sql: "UPDATE entry SET room = 2, row = 99 WHERE id = " + entryAt(7, 3), want: "room own, log 7, entry 3: it is of room 2, row 99"},
		"a row that is not there":     {sql: "UPDATE entry SET row = 999 WHERE id = " + entryAt(7, 3), want: "room own, log 7, entry 3: it is of room 7, row 999"},
		"like a row that is not":      {sql: "UPDATE entry SET same = 999 WHERE hidden = 1", want: "like row 999: there is none"},
		"a header that is none":       {sql: "UPDATE entry SET header = x'81' WHERE id = " + entryAt(2, 3), want: "room lobby, row 8: its entry can't be read"},
		"a hidden header":             {sql: "UPDATE entry SET header = x'81' WHERE hidden = 1", want: "it can't be read: malformed"},
		"another lamport":             {sql: "UPDATE entry SET lamport = lamport + 1 WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: it is entry 3 of its log, of lamport 3"},
		"an act that is none":         {sql: "UPDATE entry SET act = 1 WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: it is entry 3 of its log, of lamport 3 and kind text"},
		"another id":                  {sql: "UPDATE entry SET name = zeroblob(32) WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: its id is not 0000"},
		"half an id":                  {sql: "UPDATE entry SET name = x'00' WHERE id = " + entryAt(2, 3), want: "and id 00"},
		"another's key":               {sql: "UPDATE log SET key = (SELECT key FROM log WHERE num = 2) WHERE num = 3", want: "room lobby, log 3, entry 1: its id is not"},
		"half a key":                  {sql: "UPDATE log SET key = x'00' WHERE num = 2", want: "log 2: its key or the id"},
		"no signature":                {sql: "UPDATE entry SET sig = NULL WHERE id = " + entryAt(2, 3), want: "origin 2"},
		"no signature, hidden":        {sql: "UPDATE entry SET sig = NULL WHERE hidden = 1", want: "its node's signature does not hold"},
		"another signature":           {sql: "UPDATE entry SET sig = zeroblob(64) WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: its node's signature does not hold"},
		"half a signature":            {sql: "UPDATE entry SET sig = x'01' WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: its node's signature does not hold"},
		"another hidden text":         {sql: "UPDATE entry SET body = x'00' WHERE hidden = 1 AND salt IS NOT NULL", want: "what it says is not what it was made of"},
		"half a hidden salt":          {sql: "UPDATE entry SET salt = x'00' WHERE hidden = 1", want: "its salt has a wrong length"},
		"a text of its own":           {sql: "UPDATE entry SET salt = zeroblob(16) WHERE id = " + entryAt(2, 3), want: "room lobby, log 2, entry 3: row 8 is not kept any more, or has its text alone"},
		"a hidden row below":          {sql: "UPDATE log SET low = 13 WHERE num = 3; UPDATE entry SET row = 0 WHERE id = " + entryAt(3, 12), want: "room lobby, log 3, entry 12: its row is not kept any more, and it is no act"},
		"a pair of no row":            {sql: "UPDATE pair SET row = 999 WHERE cseq = 3 AND room = 1", want: "is said to be room 1, row 999, which is not there"},
		"half a pair":                 {sql: "UPDATE pair SET origin = x'01' WHERE cseq = 3 AND room = 3", want: "the pair of 01"},
		"an origin of nobody":         {sql: "UPDATE abroad SET num = 999 WHERE num = 2", want: "origin 999, of another node"},
		"half an origin":              {sql: "UPDATE abroad SET via = x'01' WHERE num = 2", want: "origin 2, of another node"},
		"a peer of another key":       {sql: "UPDATE peer SET key = zeroblob(32) WHERE mode = 1", want: ", which is none, or another's"},
		"half a peer":                 {sql: "UPDATE peer SET node = x'0102' WHERE mode = 2", want: "peer 0102: it has the key"},
		"a peer of no kind":           {sql: "UPDATE peer SET mode = 3 WHERE mode = 1", want: "what is known of it makes no sense"},
		"half a host":                 {sql: "UPDATE peer SET hosts = x'05' WHERE mode = 1", want: "what is known of it makes no sense"},
		"no space":                    {sql: "DELETE FROM meta WHERE key = 'space'", want: "what the store is among others"},
		"half a space":                {sql: "UPDATE meta SET value = x'00' WHERE key = 'space'", want: "what the store is among others"},
		"a nonce that is none":        {sql: "UPDATE meta SET value = 7 WHERE key = 'nonce'", want: "what the store is among others"},
		"shared by half":              {sql: "UPDATE meta SET value = 2 WHERE key = 'shared'", want: "what the store is among others"},
		"a log of no room":            {sql: "UPDATE log SET room = 77 WHERE num = 2", want: "log 2: no log can have that number, or there is no room 77"},
		"a log of number 0":           {sql: "UPDATE log SET num = 0 WHERE num = 2", want: "log 0: no log can have that number"},
		"a fork without proof":        {sql: "DELETE FROM fork", want: "room ops, log 4, entry 9: it is taken to be said twice, and there is no proof"},
		"a fork of no log":            {sql: "UPDATE fork SET log = 77", want: "log 77: it is said to fork, and there is none"},
		"a proof of another log":      {sql: "UPDATE fork SET log = 2", want: "the proof that it is said twice does not hold: it is of something else"},
		"a proof that is none":        {sql: "UPDATE fork SET proof = x'0000000180'", want: "does not hold: malformed"},
		"a proof that is short":       {sql: "UPDATE fork SET proof = x'00'", want: "does not hold: malformed"},
		"a fork elsewhere":            {sql: "UPDATE log SET forked = 10 WHERE num = 4", want: "it is marked as one of a log that forks, and its log does not fork there"},
		"a fork that is not":          {sql: "UPDATE log SET forked = 0 WHERE num = 4", want: "it is marked as one of a log that forks, and its log does not fork there"},
		"a signature over another id": {make: tamper(2, func(e *Entry) { e.Sig = bytes.Clone(e.Sig); e.Sig[0]++ }), want: "its node's signature does not hold"},
		"behind another":              {make: forge(2, func(e *wire.Entry) { e.Prev = bytes.Repeat([]byte{9}, 32) }), want: "it does not stand behind the one before it"},
		"behind nothing":              {make: forge(2, func(e *wire.Entry) { e.Prev = nil }), want: "it can't be read: malformed"},
		"a lamport too high":          {make: forge(2, func(e *wire.Entry) { e.Lamport++ }), want: "and it builds on one of"},
		"a lamport too low":           {make: forge(3, func(e *wire.Entry) { e.Lamport-- }), want: "and it builds on one of"},
		"builds on what is not": {make: func(a *annalist) {
			e, _ := a.EntryAt(3, 4)
			a.logs[2].forge = func(e *wire.Entry) { e.Deps[0].ID[0]++ }
			a.say(2, "forged", e)
		}, want: "it builds on entry 4 of log 3"},
		"builds on what comes": {make: func(a *annalist) {
			e, _ := a.EntryAt(3, 4)
			a.logs[2].forge = func(e *wire.Entry) { e.Deps[0].Seq = 99 }
			a.say(2, "forged", e)
		}, want: "it builds on entry 99 of log 3"},
		"of another number":  {make: forge(2, func(e *wire.Entry) { e.Epoch++ }), want: ""},
		"of another text":    {make: forge(2, func(e *wire.Entry) { e.Sum = bytes.Repeat([]byte{1}, 32) }), want: "what it says is not what its entry was made of"},
		"of another author":  {make: forge(2, func(e *wire.Entry) { e.Author = bytes.Repeat([]byte{1}, 32) }), want: "nobody knows its author, origin 2, or it is not that of its entry"},
		"an own one stands":  {make: forge(1, func(e *wire.Entry) { e.Row++ }), want: ""},
		"a row of its own":   {make: rephrase(2, func(e *wire.Event) { e.Body = []byte("other") }), want: "what it says is not what its entry was made of"},
		"a row of its kind":  {make: rephrase(2, func(e *wire.Event) { e.Kind = chat.Action }), want: "it says something else than its entry"},
		"a row that answers": {make: rephrase(2, func(e *wire.Event) { e.Opts.Re = make([]byte, 8) }), want: "it says something else than its entry"},
		"another row's id":   {make: rephrase(2, func(e *wire.Event) { e.ID[0]++ }), want: "what it says does not fit its id"},
		"a marked row":       {make: rephrase(2, func(e *wire.Event) { e.Opts.Forked = true }), want: "it is marked as one of a log that forks, and its log does not"},
		"a forged act": {make: func(a *annalist) {
			a.logs[2].rephrase = func(e *wire.Event) error { e.Opts.Sig[40]++; return nil }
			a.add(2, chat.Act, "readonly", 0, nil)
		}, want: "its author's signature does not hold"},
		"an act for another node":     {make: func(a *annalist) { a.act(2, a.key.ID()) }, want: "its author's signature does not hold"},
		"an own act for another node": {make: func(a *annalist) { a.act(1, a.logs[2].key.ID()) }, want: "its author's signature does not hold"},
		"acts for their nodes, or for none, as there once were": {make: func(a *annalist) {
			for _, log := range []uint64{1, 2} {
				a.act(log, a.logs[log].key.ID())
				a.act(log, identity.ID{})
			}
		}, want: ""},
		"told to be a row that is not": {make: func(a *annalist) {
			a.batch.Origins = append(a.batch.Origins, Origin{Num: 900, Token: OriginToken{9}, Key: key(1), Last: 1, Outcomes: []Outcome{{CSeq: 1, Seq: 999}}})
		}, want: "origin 900: its message 1 was told to be row 999, which no room has"},
		"an act under another number": {make: func(a *annalist) {
			a.logs[2].forge = func(e *wire.Entry) { e.From++ }
			a.add(2, chat.Act, "readonly", 0, nil)
		}, want: "its author's signature does not hold"},
		"a proof nobody signed": {make: func(a *annalist) {
			a.batch.Forks[0].Proof = bytes.Clone(a.batch.Forks[0].Proof)
			f, _ := wire.Decode(a.batch.Forks[0].Proof[wire.HeaderLen:])
			f.(*wire.Fork).A.Sig = make([]byte, 64)
			a.batch.Forks[0].Proof = wire.Must(nil, f)
		}, want: "the proof that it is said twice does not hold: it is not signed"},
	}
	made := t.TempDir()
	shared(t, made, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.make != nil {
				shared(t, dir, tt.make)
			} else {
				copyFile(t, filepath.Join(made, fileName), filepath.Join(dir, fileName))
				alter(t, dir, tt.sql)
			}
			_, err := checkStore(t, dir)
			var fault *Fault
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &fault) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("found %v, want a fault that says %q", err, tt.want)
			}
		})
	}
}

// Whatever bits of a shared store are turned, a check comes to an end.
func TestCheckOfTurnedBitsOfLogs(t *testing.T) {
	dir := t.TempDir()
	shared(t, dir, nil)
	whole, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := 0
	for range 150 {
		broken := bytes.Clone(whole)
		for range 1 + rng.IntN(8) {
			broken[rng.IntN(len(broken))] ^= 1 << rng.IntN(8)
		}
		path := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		switch _, err := checkStore(t, path); {
		case errors.Is(err, ErrDamaged):
			faults++
		case err == nil, errors.Is(err, ErrForeign), errors.Is(err, ErrNewer), errors.Is(err, ErrOlder):
		default:
			t.Fatalf("check: %v", err)
		}
	}
	if faults < 50 {
		t.Errorf("%d of 150 broken stores have a fault", faults)
	}
}

// A room's name among nodes is the same on each of them.
func TestLogName(t *testing.T) {
	two := Room{Peers: [2]identity.ID{{1}, {2}}}
	if got, want := two.LogName(), "@"+(identity.ID{1}).String()+" "+(identity.ID{2}).String(); got != want {
		t.Errorf("a conversation is %q, want %q", got, want)
	}
	if got := (&Room{Name: "ops"}).LogName(); got != "ops" {
		t.Errorf("a room is %q", got)
	}
}
