package store

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told is a message of a timeline as a test compares it.
type told struct {
	Room, Seq uint64
	Time      int64
	Body      string
}

// timelineOf returns what a timeline of the named rooms tells; of all rooms when none is named.
func timelineOf(t *testing.T, path string, since int64, names ...string) (all []told, err error) {
	t.Helper()
	a, err := OpenArchive(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rooms, err := a.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var chosen []RoomState
	for _, r := range rooms {
		if len(names) == 0 || strings.Contains(strings.Join(names, " "), r.Name) {
			chosen = append(chosen, r)
		}
	}
	err = a.Timeline(t.Context(), chosen, since, still, func(m Message) error {
		all = append(all, told{m.Event.Room, m.Seq, m.Time, string(m.Body)})
		return nil
	})
	return all, err
}

// A timeline tells every message once, in the order in which they were written, however many rooms there are and however much is read ahead.
func TestTimeline(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	c := newChronicler(t, dir, Options{})
	var want []told
	for range 3000 {
		room, from := rng.Uint64N(rng.Uint64N(12)+1)+1, rng.Uint64N(5)+1
		c.say(room, from)
		row := &c.batch.Rows[len(c.batch.Rows)-1]
		want = append(want, told{room, row.Seq, row.Time, string(row.Body)})
		if rng.IntN(50) == 0 {
			c.commit()
		}
	}
	c.commit()
	got, err := timelineOf(t, dir, 0)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v; (-want +got):\n%.2000s", err, diff)
	}
	for range 20 {
		from := rng.IntN(len(want))
		got, err := timelineOf(t, dir, want[from].Time)
		if diff := cmp.Diff(want[from:], got); diff != "" || err != nil {
			t.Errorf("since row %d: %v; (-want +got):\n%.2000s", from, err, diff)
		}
	}
	if got, err := timelineOf(t, dir, c.clock+1); len(got) > 0 || err != nil {
		t.Errorf("since tomorrow: %d messages, %v", len(got), err)
	}
	var only []told
	for _, m := range want {
		if m.Room == 1 || m.Room == 2 {
			only = append(only, m)
		}
	}
	got, err = timelineOf(t, dir, 0, "room1", "room2")
	if diff := cmp.Diff(only, got); diff != "" || err != nil {
		t.Errorf("two rooms: %v; (-want +got):\n%.2000s", err, diff)
	}
}

// Messages of one moment come room by room, each room's in its own order.
func TestTimelineOfOneMoment(t *testing.T) {
	dir := t.TempDir()
	c := newChronicler(t, dir, Options{})
	for n := range uint64(1200) {
		c.clock = 1_800_000_000_000
		c.say(3-n%3, 1)
	}
	c.commit()
	got, err := timelineOf(t, dir, 1_800_000_000_001)
	if err != nil || len(got) != 1200 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if want := (told{uint64(i/400) + 1, uint64(i%400) + 1, 1_800_000_000_001, m.Body}); m != want {
			t.Fatalf("message %d is %+v, want %+v", i, m, want)
		}
	}
}

// What a damaged store still holds is told; that something is missing is said at the end.
func TestTimelineOfADamagedStore(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	whole, err := timelineOf(t, dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	alter(t, dir, "UPDATE message SET record = x'00' WHERE id IN ("+at(3, 7)+","+at(1, 9)+"); DELETE FROM message WHERE id = "+at(4, 3))
	got, err := timelineOf(t, dir, 0)
	if len(got) != len(whole)-3 || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "conversation 4, row 3: it is missing") {
		t.Errorf("%d messages of %d, error %v", len(got), len(whole), err)
	}
	stop := errors.New("stop")
	a, err := OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rooms, err := a.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Timeline(t.Context(), rooms, 0, still, func(Message) error { return stop }); err != stop {
		t.Errorf("an error of the reader's: %v", err)
	}
}
