package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func TestCheckOfAHealthyStore(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	got, err := checkStore(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Node.IsZero() || got.Rooms != 4 || got.Conversations != 1 || got.Messages >= 242 || got.Messages < 180 {
		t.Errorf("tally %+v: want a node, 4 rooms, a conversation, and the 242 messages that were not let go of", got)
	}
	for name, sql := range map[string]string{
		"no node yet":     "DELETE FROM meta WHERE key = 'node_key'",
		"a copy":          "INSERT INTO meta VALUES ('copied', 1)",
		"a key of others": "INSERT INTO meta VALUES ('other', 'x')",
		"moderators": stands("1, (SELECT key FROM origin), 1, 1, 0, (SELECT key FROM origin), 'so', 0") + "; UPDATE room SET flags = 7, open = 3, slow = 1, pins = zeroblob(128), welcome = 'x'" +
			" WHERE num = 1; INSERT INTO bar SELECT 1, x'20010db8000000000000000000000000', key, 0 FROM origin LIMIT 1",
		"no outcomes":      "UPDATE origin SET outcomes = NULL",
		"an unused origin": "INSERT INTO origin SELECT 7, zeroblob(16), key, 0, NULL FROM origin WHERE num = 1; UPDATE meta SET value = 7 WHERE key = 'last_from'",
	} {
		dir := t.TempDir()
		small(t, dir)
		alter(t, dir, sql)
		if _, err := checkStore(t, dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := t.TempDir()
	s, err := Open(empty, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	acted := t.TempDir()
	moderated := newChronicler(t, acted, Options{})
	moderated.acts(1, 1, nil)
	moderated.commit()
	if _, err := checkStore(t, acted); err != nil {
		t.Errorf("of one who has acted: %v", err)
	}
	skipped := t.TempDir()
	c := newChronicler(t, skipped, Options{})
	c.from[1] = &Origin{Num: 1, Key: key(1), Last: 2, Outcomes: []Outcome{{CSeq: 1}, {CSeq: 2, Code: chat.Denied}}}
	c.commit()
	if _, err := checkStore(t, skipped); err != nil {
		t.Errorf("of one who has only called a draft back: %v", err)
	}
	if got, err := checkStore(t, empty); got != (Tally{}) || err != nil {
		t.Errorf("of a new store: %+v, %v", got, err)
	}
}

// at is the id of a row in SQL.
func at(room, seq uint64) string { return fmt.Sprint(rowID(room, seq)) }

// stands adds a standing.
func stands(values string) string { return "INSERT INTO standing VALUES (" + values + ")" }

// acts has an origin act in a room.
func (c *chronicler) acts(room, from uint64, forge func(*wire.Event)) {
	c.act, c.forge = "readonly", forge
	c.say(room, from)
	c.act, c.forge = "", nil
}

// Each thing that can't be true is found, and told with the place where it is.
func TestCheckFindsEachFault(t *testing.T) {
	tests := map[string]struct {
		make func(c *chronicler) // wrong from the beginning
		sql  string              // or altered later
		want string
	}{
		"a hole":            {sql: "DELETE FROM message WHERE id = " + at(1, 5), want: "room room1, row 5: it is missing; the one that is there is row 6"},
		"no first row":      {sql: "DELETE FROM message WHERE id = " + at(1, 1), want: "room room1, row 1: it is missing"},
		"below the low":     {sql: "UPDATE room SET low = 9, base = (SELECT hash FROM message WHERE id = " + at(1, 8) + ") WHERE num = 1", want: "room room1, row 1: it stands before the first one that is kept, 9"},
		"a row of no room":  {sql: "UPDATE message SET id = id + (5 << 36) WHERE id = " + at(4, 60), want: "room 9, row 60: there is no such room"},
		"a negative id":     {sql: "UPDATE message SET id = -1 WHERE id = " + at(4, 60), want: "there is no such room"},
		"room 0":            {sql: "UPDATE message SET id = 5 WHERE id = " + at(4, 60), want: "room 0, row 5: there is no such room"},
		"a room is gone":    {sql: "DELETE FROM room WHERE num = 3", want: "room 3, row 1: there is no such room"},
		"a short salt":      {sql: "UPDATE message SET salt = x'00' WHERE id = " + at(3, 7), want: "room room3, row 7: its salt or its hash"},
		"no hash":           {sql: "UPDATE message SET hash = x'' WHERE id = " + at(3, 7), want: "room room3, row 7: its salt or its hash"},
		"no record":         {sql: "UPDATE message SET record = x'' WHERE id = " + at(3, 7), want: "room room3, row 7: its record can't be read: its length"},
		"half a record":     {sql: "UPDATE message SET record = substr(record, 1, 40) WHERE id = " + at(3, 7), want: "room room3, row 7: its record can't be read: its length"},
		"a wrong record":    {sql: "UPDATE message SET record = x'00000003ffffff' WHERE id = " + at(3, 7), want: "room room3, row 7: its record can't be read: malformed"},
		"an ack as record":  {sql: "UPDATE message SET record = x'000000028102' WHERE id = " + at(3, 7), want: "room room3, row 7: its record can't be read: it is no message"},
		"of another row":    {sql: "UPDATE message SET record = (SELECT record FROM message WHERE id = " + at(3, 8) + ") WHERE id = " + at(3, 7), want: "room room3, row 7: its record is that of room 3, row 8"},
		"of another room":   {sql: "UPDATE message SET record = (SELECT record FROM message WHERE id = " + at(1, 7) + ") WHERE id = " + at(3, 7), want: "room room3, row 7: its record is that of room 1, row 7"},
		"another time":      {sql: "UPDATE message SET time = time + 1 WHERE id = " + at(3, 7), want: "room room3, row 7: its time is"},
		"an unknown era":    {sql: "UPDATE message SET era = 3 WHERE id = " + at(3, 7), want: "room room3, row 7: there is no epoch number 3"},
		"a negative era":    {sql: "UPDATE message SET era = -1 WHERE id = " + at(3, 7), want: "room room3, row 7: there is no epoch number -1"},
		"another salt":      {sql: "UPDATE message SET salt = zeroblob(16) WHERE id = " + at(3, 7), want: "room room3, row 7: what it says does not fit its id"},
		"another text":      {sql: "UPDATE message SET record = CAST(replace(record, 'says', 'sAys') AS BLOB) WHERE id = " + at(3, 7), want: "room room3, row 7: what it says does not fit its id"},
		"another epoch":     {sql: "UPDATE era SET epoch = zeroblob(8)", want: "room room1, row 1: what it says does not fit its id"},
		"another hash":      {sql: "UPDATE message SET hash = zeroblob(8) WHERE id = " + at(4, 60), want: "conversation 4, row 60: the hash of the room's log"},
		"another base":      {sql: "UPDATE room SET base = zeroblob(8) WHERE num = 2", want: "room room2, row"},
		"an unknown author": {sql: "DELETE FROM origin WHERE num = 2", want: "room room1, row 2: nobody knows its author, origin 2"},
		"time runs back": {make: func(c *chronicler) { c.say(6, 1); c.clock -= 5; c.say(6, 1) },
			want: "room room6, row 2: its time is before that of the row before"},
		"behind a later one": {make: func(c *chronicler) {
			c.from[1].Last += 5
			c.say(6, 1)
			c.from[1].Last -= 3
			c.say(6, 1)
			c.from[1].Last, c.from[1].Outcomes = 999, nil
		},
			want: "and stands behind its message"},
		"twice in a room": {make: func(c *chronicler) { c.say(6, 1); c.from[1].Last--; c.say(6, 1); c.from[1].Outcomes = nil },
			want: "room room6, row 2: it is message"},
		"an act unsigned": {make: func(c *chronicler) { c.acts(6, 7, func(e *wire.Event) { e.Opts.Sig = nil }) },
			want: "room room6, row 1: its author's signature does not hold"},
		"an act of another": {make: func(c *chronicler) { c.acts(6, 1, func(*wire.Event) {}) }, want: "room room6, row 1: its author's signature does not hold"},
		"another act": {make: func(c *chronicler) { c.acts(6, 7, func(e *wire.Event) { e.Body = []byte("writable") }) },
			want: "room room6, row 1: its author's signature does not hold"},
		"an act that is none": {make: func(c *chronicler) { c.acts(6, 7, func(e *wire.Event) { e.Body = []byte("nap") }) },
			want: `room room6, row 1: it is meant as an act, and is none: "nap"`},
		"twice in two rooms": {make: func(c *chronicler) {
			c.from[1].Outcomes = nil
			c.from[1].Last -= 60
			c.say(6, 1)
			c.from[1].Last += 60
			c.from[1].Outcomes = nil
		},
			want: "of room room"},
		"a cseq of 0": {make: func(c *chronicler) {
			last := c.from[1].Last
			c.from[1].Last = ^uint64(0)
			c.say(6, 1)
			c.from[1].Last, c.from[1].Outcomes = last, nil
		}, want: "it is message 0 of origin 1"},
		"above the last": {sql: "UPDATE origin SET last = 3, outcomes = NULL WHERE num = 1", want: "of origin 1, which has sent 3"},
		"told of another row": {make: func(c *chronicler) { c.say(6, 1); c.from[1].Outcomes[len(c.from[1].Outcomes)-1].Seq = 9 },
			want: "room room6, row 1: it is message 121 of origin 1, which was told something else: ok, row 9"},
		"told of another id": {make: func(c *chronicler) { c.say(6, 1); c.from[1].Outcomes[len(c.from[1].Outcomes)-1].ID[0]++ },
			want: "was told something else"},
		"told of another time": {make: func(c *chronicler) { c.say(6, 1); c.from[1].Outcomes[len(c.from[1].Outcomes)-1].Time++ },
			want: "was told something else"},
		"told to be refused": {make: func(c *chronicler) {
			c.say(6, 1)
			c.from[1].Outcomes[len(c.from[1].Outcomes)-1] = Outcome{CSeq: c.from[1].Last, Code: chat.TooLong}
		},
			want: "was told something else: too_long"},
		"the end is missing": {sql: "DELETE FROM message WHERE id = " + at(1, 62), want: "origin 1: its message 121 was told to be row 62, which no room has"},

		"a room above the last":  {sql: "UPDATE meta SET value = 3 WHERE key = 'last_room'", want: "room 4: no room can have that number, the last one given is 3"},
		"a room of number 0":     {sql: "UPDATE room SET num = 0 WHERE num = 5", want: "room 0: no room can have that number"},
		"a room without a name":  {sql: "UPDATE room SET name = '' WHERE num = 5", want: "room 5: it is neither"},
		"a name that is none":    {sql: "UPDATE room SET name = 'A B' WHERE num = 5", want: "room 5: it is neither"},
		"peers the wrong way":    {sql: "UPDATE room SET (peer1, peer2) = (peer2, peer1) WHERE num = 4", want: "room 4: it is neither"},
		"a name and peers":       {sql: "UPDATE room SET name = 'x' WHERE num = 4", want: "room 4: it is neither"},
		"two rooms of a name":    {sql: "UPDATE room SET name = 'room1' WHERE num = 5", want: "room room1: room 1 is the same"},
		"two of the same people": {sql: "INSERT INTO room SELECT 6, name, topic, created, owner, peer1, peer2, 1, zeroblob(8), 0, 0, 0, 0, 0, 0, '', NULL, 0 FROM room WHERE num = 4; UPDATE meta SET value = 6 WHERE key = 'last_room'", want: "conversation 6: room 4 is the same"},
		"a short owner":          {sql: "UPDATE room SET owner = x'01' WHERE num = 5", want: "room 5: a key or a hash has a wrong length"},
		"a long base":            {sql: "UPDATE room SET base = zeroblob(9) WHERE num = 5", want: "room 5: a key or a hash has a wrong length"},
		"a beginning at 0":       {sql: "UPDATE room SET low = 0 WHERE num = 5", want: "room empty: its log can't begin with row 0"},
		"a hash before row 1":    {sql: "UPDATE room SET base = x'0100000000000000' WHERE num = 5", want: "room empty: its log can't begin with row 1, hash 01"},
		"a negative bound":       {sql: "UPDATE room SET keep_age = -1 WHERE num = 5", want: "room empty: what is to be kept"},
		"an origin above":        {sql: "UPDATE meta SET value = 2 WHERE key = 'last_from'", want: "origin 3: no origin can have that number, the last one given is 2"},
		"a short key":            {sql: "UPDATE origin SET key = x'01' WHERE num = 2", want: "origin 2: its key or its token"},
		"a short token":          {sql: "UPDATE origin SET token = x'01' WHERE num = 2", want: "origin 2: its key or its token"},
		"the same token":         {sql: "UPDATE origin SET token = (SELECT token FROM origin WHERE num = 1) WHERE num = 2", want: "origin 2: another one has the same token"},
		"broken outcomes":        {sql: "UPDATE origin SET outcomes = x'ff' WHERE num = 2", want: "origin 2: what became of its last messages"},
		"outcomes of nobody":     {sql: "UPDATE origin SET token = NULL WHERE num = 2", want: "origin 2: what became of its last messages"},
		"a negative last":        {sql: "UPDATE origin SET last = -1 WHERE num = 2", want: "origin 2: what became of its last messages"},
		"a name of nobody":       {sql: "UPDATE person SET key = zeroblob(32) WHERE name = 'carol'", want: "which is none"},
		"a person's short key":   {sql: "UPDATE person SET key = x'01' WHERE name = 'carol'", want: "a person has the key 01"},
		"a name twice":           {sql: "UPDATE person SET name = 'CAROL' WHERE name <> 'carol'", want: "are the same"},
		"an empty name":          {sql: "UPDATE person SET name = '' WHERE name = 'carol'", want: `"" is no name`},
		"a name of odd bytes":    {sql: "UPDATE person SET name = CAST(x'63ff' AS TEXT) WHERE name = 'carol'", want: `"c\xff" is no name`},
		"a giant name":           {sql: "UPDATE person SET name = printf('%.*c', 200, 'x') WHERE name = 'carol'", want: `is no name`},
		"seen before time":       {sql: "UPDATE person SET seen = -1 WHERE name = 'carol'", want: "or been seen at -1"},
		"joined before time":     {sql: "UPDATE person SET since = -1 WHERE name = 'carol'", want: "can't have joined at -1"},
		"half an inviter":        {sql: "UPDATE person SET inviter = x'01' WHERE name = 'carol'", want: "the key of its inviter has 1 bytes"},
		"half a sealing key":     {sql: "UPDATE person SET seal = x'01' WHERE name = 'carol'", want: "its sealing key has 1 bytes"},
		"an unknown flag":        {sql: "UPDATE room SET flags = 8 WHERE num = 5", want: "room empty: what its moderators have set"},
		"half a pin":             {sql: "UPDATE room SET pins = x'01' WHERE num = 5", want: "room empty: what its moderators have set"},
		"too many pins":          {sql: "UPDATE room SET pins = zeroblob(136) WHERE num = 5", want: "room empty: what its moderators have set"},
		"slow for ever":          {sql: "UPDATE room SET slow = 1 << 60 WHERE num = 5", want: "room empty: what its moderators have set"},
		"slow the wrong way":     {sql: "UPDATE room SET slow = -1 WHERE num = 5", want: "room empty: what its moderators have set"},
		"a giant welcome":        {sql: "UPDATE room SET welcome = printf('%.*c', 400, 'x') WHERE num = 5", want: "room empty: what its moderators have set"},
		"rules between two":      {sql: "UPDATE room SET slow = 1 WHERE num = 4", want: "conversation 4: a conversation has no moderators"},
		"standing nowhere":       {sql: stands("9, (SELECT key FROM origin), 1, 1, 0, (SELECT key FROM origin), '', 0"), want: "room 9: somebody has a standing in it"},
		"standing between two":   {sql: stands("4, (SELECT key FROM origin), 1, 1, 0, (SELECT key FROM origin), '', 0"), want: "room 4: somebody has a standing in it"},
		"a standing of nobody":   {sql: stands("1, zeroblob(32), 1, 1, 0, (SELECT key FROM origin), '', 0"), want: "room 1: a standing is of the key 00"},
		"a standing by half":     {sql: stands("1, (SELECT key FROM origin), 1, 1, 0, x'01', '', 0"), want: ", by 01"},
		"an unknown standing":    {sql: stands("1, (SELECT key FROM origin), 5, 1, 0, (SELECT key FROM origin), '', 0"), want: "room 1: there is no standing 5"},
		"a member of no row":     {sql: stands("1, (SELECT key FROM origin), 2, 5, 0, (SELECT key FROM origin), '', 0"), want: "can't let it read from row 0 on"},
		"a mute from a row on":   {sql: stands("1, (SELECT key FROM origin), 3, 5, 0, (SELECT key FROM origin), '', 2"), want: "can't let it read from row 2 on"},
		"open below the ground":  {sql: "UPDATE room SET open = -1 WHERE num = 5", want: "room empty: what its moderators have set"},
		"a standing backwards":   {sql: stands("1, (SELECT key FROM origin), 3, 5, 4, (SELECT key FROM origin), '', 0"), want: "can't begin at 5 and end at 4"},
		"an odd reason":          {sql: stands("1, (SELECT key FROM origin), 3, 5, 0, (SELECT key FROM origin), CAST(x'ff' AS TEXT), 0"), want: "the reason for the standing"},
		"a bar nowhere":          {sql: "INSERT INTO bar SELECT 9, x'c0000201', key, 0 FROM origin LIMIT 1", want: "room 9: a network is kept out of it"},
		"a bar of no network":    {sql: "INSERT INTO bar SELECT 1, x'c00002', key, 0 FROM origin LIMIT 1", want: "room 1: c00002, kept out of it"},
		"a bar of one address":   {sql: "INSERT INTO bar SELECT 1, x'20010db8000000000000000000000001', key, 0 FROM origin LIMIT 1", want: "room 1: 20010db8"},
		"half a hash":            {sql: "UPDATE invite SET hash = x'0102' WHERE uses = 1", want: "invitation 0102: its hash or the key"},
		"an invitation of half":  {sql: "UPDATE invite SET inviter = x'01' WHERE uses = 1", want: "its hash or the key of who made it"},
		"no uses":                {sql: "UPDATE invite SET uses = 0 WHERE uses = 1", want: "it can't have 0 uses left"},
		"many uses":              {sql: "UPDATE invite SET uses = 1001 WHERE uses = 1", want: "it can't have 1001 uses left"},
		"to no room":             {sql: "UPDATE invite SET room = '../x' WHERE uses = 1", want: `"../x", where it leads, is no room`},
		"over before it began":   {sql: "UPDATE invite SET expires = 0 WHERE uses = 1", want: "it can't have been made at 1 and end at 0"},
		"no highest room":        {sql: "DELETE FROM meta WHERE key = 'last_room'", want: "the highest number of a room or an origin is missing"},
		"a number that is none":  {sql: "UPDATE meta SET value = 'many' WHERE key = 'last_from'", want: `"last_from" is many, which is no number`},
		"a negative number":      {sql: "UPDATE meta SET value = -4 WHERE key = 'last_room'", want: `"last_room" is -4, which is no number`},
		"a node's key":           {sql: "UPDATE meta SET value = x'00' WHERE key = 'node_key'", want: "the node's key is none"},
		"no epoch":               {sql: "DELETE FROM era", want: "there is no epoch"},
		"a short epoch":          {sql: "UPDATE era SET epoch = x'01'", want: "the table of epochs"},
		"a missing table":        {sql: "DROP TABLE person", want: "no such table"},
		"an odd schema":          {sql: "UPDATE sqlite_schema SET sql = replace(sql, 'seen INTEGER NOT NULL', 'seen TEXT NOT NULL') WHERE name = 'person'", want: "is damaged"},
	}
	made := t.TempDir()
	small(t, made)
	whole := filepath.Join(made, fileName)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.make != nil {
				c := newChronicler(t, dir, Options{})
				for range 60 {
					c.say(1, 1)
					c.say(2, 1)
				}
				tt.make(c)
				c.commit()
				if err := c.store.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				copyFile(t, whole, filepath.Join(dir, fileName))
				alter(t, dir, tt.sql)
			}
			_, err := checkStore(t, dir)
			var fault *Fault
			if !errors.As(err, &fault) || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %v, want a fault that says %q", err, tt.want)
			}
			to := filepath.Join(t.TempDir(), "copy")
			if _, err := Backup(t.Context(), dir, to, still); !errors.Is(err, ErrDamaged) {
				t.Errorf("a backup: %v, want a fault", err)
			}
			if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
				t.Errorf("a backup of a damaged store left %q", left)
			}
		})
	}
}

// Whatever bits are turned, a check comes to an end: all is well, there is a fault, or the file is not a store any more.
func TestCheckOfTurnedBits(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	whole, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := 0
	for range 150 {
		broken := append([]byte(nil), whole...)
		for range 1 + rng.IntN(8) {
			broken[rng.IntN(len(broken))] ^= 1 << rng.IntN(8)
		}
		path := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := checkStore(t, path)
		switch {
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

// A store that a node writes to, copies the log of and lets old rows go from is never called damaged.
func TestCheckWhileANodeWrites(t *testing.T) {
	dir := t.TempDir()
	c := newChronicler(t, dir, Options{Total: 40_000})
	c.say(1, 1)
	c.commit()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for n := uint64(0); ctx.Err() == nil; n++ {
			for i := range uint64(50) {
				c.say(n%5+1, i%7+1)
				c.refuse(i%7 + 1)
			}
			c.commit()
			if err := errors.Join(c.store.checkpoint(ctx), c.store.Retain(ctx)); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	highest := int64(0)
	for i := range 40 {
		tally, err := checkStore(t, dir)
		if err != nil {
			t.Errorf("check %d: %v", i, err)
			break
		}
		highest = max(highest, tally.Messages)
	}
	cancel()
	group.Wait()
	if highest < 50 {
		t.Errorf("no check saw more than %d messages", highest)
	}
}

func TestFaultsNameConversations(t *testing.T) {
	r := Room{Num: 4, Peers: [2]identity.ID{key(1), key(2)}}
	if got := r.label(); got != "conversation 4" {
		t.Errorf("label %q", got)
	}
}
