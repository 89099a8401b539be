package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// counters has each state have other origins than the one before it.
var counters atomic.Uint32

// openState opens the state in dir, to be closed with the test at the latest.
func openState(t testing.TB, dir string) *State {
	t.Helper()
	const apart = 7 // more than a test asks of one
	s, err := OpenState(filepath.Join(dir, "journal"), &counter{n: byte(counters.Add(apart))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fullDisk is a book that takes nothing while full is set.
type fullDisk struct {
	book
	full atomic.Bool
}

func (f *fullDisk) Append(records ...[]byte) error {
	if f.full.Load() {
		return syscall.ENOSPC
	}
	return f.book.Append(records...)
}

func (f *fullDisk) Rewrite(records ...[]byte) error {
	if f.full.Load() {
		return syscall.ENOSPC
	}
	return f.book.Rewrite(records...)
}

// withState is the change to a Config that has the client remember in dir, and what it opened.
func withState(t *testing.T, dir string, rooms ...string) (*State, func(*Config)) {
	s := openState(t, dir)
	return s, func(c *Config) { c.State, c.Rooms, c.Tail = s, rooms, 50 }
}

// TestGoesOn is the whole of it: the next client has the origin, the numbers, what was not answered, and the places.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	log := &row{number: 3}
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, dir, "lobby")
		r := start(t, change)
		for _, text := range []string{"a", "b", "c", "d"} {
			r.send("lobby", text)
		}
		p := r.accept(nil)
		if j := onChat[*wire.Join](p); j.Cursor != nil || j.Tail != 50 {
			t.Errorf("the first join is %+v", j)
		}
		p.say(log.open("lobby"), log.next("one"), log.next("two"), &wire.Ack{CSeq: 1, Seq: 1}, &wire.Refused{CSeq: 2, Code: chat.Denied})
		r.Shown(event[LinkUp](r))
		r.Shown(event[Opened](r))
		r.Shown(event[Message](r))
		event[Message](r) // and not shown
		r.Read("lobby", 1)
		event[Ack](r)
		event[Refused](r)
		r.end()
		_ = s.Close()
	})
	first := log.hash
	log = &row{number: 3}
	log.next("one")
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, dir, "lobby")
		origin := s.origin
		r := start(t, change)
		defer r.end()
		if n := r.Pending(); n != 2 {
			t.Errorf("%d are pending, want 2", n)
		}
		if n := r.send("lobby", "e"); n != 3 {
			t.Errorf("the next send is number %d, want 3", n)
		}
		p := <-r.links
		h := p.welcome(func(w *wire.Welcome) {
			w.LastCSeq, w.Outcomes = 3, []wire.Outcome{{CSeq: 3, Seq: 3, Time: 1}}
		})
		if h.FirstUnacked != 3 || !bytes.Equal(h.Origin, origin[:]) {
			t.Errorf("the hello is %+v, want message 3 of the same origin", h)
		}
		if up := event[LinkUp](r); !up.Resumed {
			t.Errorf("the link is %+v, which does not go on", up)
		}
		if ack := event[Ack](r); ack.N != 1 || ack.Text != "c" || ack.Ref != "" {
			t.Errorf("the ack is %+v", ack)
		}
		j := onChat[*wire.Join](p)
		if diff := cmp.Diff(&wire.Cursor{Epoch: testEpoch, Seq: 1, Hash: log.hash}, j.Cursor); diff != "" {
			t.Errorf("cursor mismatch (-want +got):\n%s", diff)
		}
		for i, text := range []string{"d", "e"} {
			if pub := onChat[*wire.Pub](p); pub.CSeq != uint64(4+i) || string(pub.Body) != text {
				t.Errorf("sent %d %q, want %d %q", pub.CSeq, pub.Body, 4+i, text)
			}
		}
		p.say(log.open("lobby"), log.next("two"), &wire.Ack{CSeq: 4, Seq: 4}, &wire.Ack{CSeq: 5, Seq: 5})
		event[Opened](r)
		if m := event[Message](r); m.Text != "two" || m.Cursor.Hash != first {
			t.Errorf("the message behind the place is %+v", m)
		}
		if state, ok := r.Room("lobby"); !ok || state.Read != 1 {
			t.Errorf("the room is read up to %d, want 1", state.Read)
		}
		event[Ack](r)
		event[Ack](r)
	})
}

// TestGoodbyeGivesTheOriginUp: the node forgets an origin whose client says goodbye, so the next one has another, and the same places.
func TestGoodbyeGivesTheOriginUp(t *testing.T) {
	dir := t.TempDir()
	var origin [16]byte
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, dir, "lobby")
		origin = s.origin
		r := start(t, change)
		p := r.accept(nil)
		onChat[*wire.Join](p)
		log := &row{number: 3}
		p.say(log.open("lobby"), log.next("one"))
		for range 3 {
			r.Shown(event[Event](r))
		}
		r.send("lobby", "a")
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 2})
		quit := make(chan error)
		go func() { quit <- r.Quit(t.Context()) }()
		onControl[*wire.Bye](p)
		again := openState(t, dir) // as if the process had been killed right now
		if again.origin == origin || again.next != 1 || again.highest != 0 {
			t.Errorf("behind the goodbye the state goes on with origin %x at %d", again.origin, again.next)
		}
		if c := again.rooms["lobby"].cursor; c.Seq != 1 {
			t.Errorf("the place is %+v", c)
		}
		p.Close()
		if err := <-quit; err != nil {
			t.Errorf("Quit: %v", err)
		}
		<-r.ran
	})
}

// TestNoGoodbyeOnAFullDisk: an origin that can't be given up is kept, and the node is not told otherwise.
func TestNoGoodbyeOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir())
		disk := &fullDisk{book: s.journal}
		s.journal = disk
		r := start(t, change)
		p := r.accept(nil)
		event[LinkUp](r)
		disk.full.Store(true)
		if err := r.Quit(t.Context()); err != nil {
			t.Errorf("Quit: %v", err)
		}
		<-r.ran
		if _, err := p.control.Next(); err == nil {
			t.Error("a goodbye was said")
		}
	})
}

// TestSendOnAFullDisk fails, sends nothing, uses no number up, and works again once there is room.
func TestSendOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir())
		disk := &fullDisk{book: s.journal}
		s.journal = disk
		r := start(t, change)
		defer r.end()
		r.send("lobby", "a")
		disk.full.Store(true)
		if n, err := r.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Text, Text: "b"}); !errors.Is(err, syscall.ENOSPC) || n != 0 {
			t.Errorf("Send on a full disk: %d, %v", n, err)
		}
		if n := r.Pending(); n != 1 {
			t.Errorf("%d are pending, want 1", n)
		}
		disk.full.Store(false)
		if n := r.send("lobby", "c"); n != 2 {
			t.Errorf("the next is number %d, want 2", n)
		}
		p := r.accept(nil)
		for cseq, text := range []string{"a", "c"} {
			if pub := onChat[*wire.Pub](p); pub.CSeq != uint64(cseq+1) || string(pub.Body) != text {
				t.Errorf("sent %d %q, want %d %q", pub.CSeq, pub.Body, cseq+1, text)
			}
		}
	})
}

// slowDisk takes a record when it is told to.
type slowDisk struct {
	book
	takes chan struct{}
}

func (d *slowDisk) Append(records ...[]byte) error {
	<-d.takes
	return d.book.Append(records...)
}

// TestSendWaitsForItsFile: the node is told of nothing that a client killed right then would not know of.
func TestSendWaitsForItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir())
		r := start(t, change)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		disk := &slowDisk{book: s.journal, takes: make(chan struct{})}
		s.mu.Lock()
		s.journal = disk
		s.mu.Unlock()
		sent := make(chan error)
		go func() {
			_, err := r.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Text, Text: "a"})
			sent <- err
		}()
		synctest.Wait()
		r.poke() // and the writer looks
		synctest.Wait()
		r.mu.Lock()
		if r.outbox.sends != 1 || r.outbox.flying != 0 {
			t.Errorf("%d sends, %d of them are flying; want one that waits", r.outbox.sends, r.outbox.flying)
		}
		r.mu.Unlock()
		close(disk.takes)
		if err := <-sent; err != nil {
			t.Errorf("Send: %v", err)
		}
		if pub := onChat[*wire.Pub](p); pub.CSeq != 1 || string(pub.Body) != "a" {
			t.Errorf("sent %d %q", pub.CSeq, pub.Body)
		}
	})
}

// TestPlacesOnAFullDisk: what is shown goes on being shown, and the log says once that it is not remembered.
func TestPlacesOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		s, change := withState(t, t.TempDir(), "lobby")
		disk := &fullDisk{book: s.journal}
		s.journal = disk
		r := start(t, func(c *Config) {
			change(c)
			c.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))
		})
		p := r.accept(nil)
		disk.full.Store(true)
		log := &row{number: 3}
		p.say(log.open("lobby"), log.next("one"), log.next("two"))
		for range 4 {
			r.Shown(event[Event](r))
		}
		r.Read("lobby", 2)
		r.end()
		if n := strings.Count(said.String(), "no space left"); n != 1 {
			t.Errorf("said %d times, want once: %s", n, said.String())
		}
	})
}

// TestResetOnAFullDisk: a new origin that can't be written down is not used: a client that died then would send under the old one again.
func TestResetOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir())
		disk := &fullDisk{book: s.journal}
		s.journal = disk
		r := start(t, change)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("lobby", "a")
		onChat[*wire.Pub](p)
		p.Close()
		event[LinkDown](r)
		origin := s.origin
		disk.full.Store(true)
		another := func(w *wire.Welcome) { w.Epoch++ }
		r.accept(another)
		if down := event[LinkDown](r); !errors.Is(down.Err, syscall.ENOSPC) {
			t.Errorf("the link ended with %v", down.Err)
		}
		disk.full.Store(false)
		p = <-r.links
		if h := p.welcome(another); !bytes.Equal(h.Origin, origin[:]) {
			t.Errorf("the origin is another already")
		}
		if reset := event[Reset](r); reset.Why != WhyEpoch {
			t.Errorf("the reset is %+v", reset)
		}
		p = <-r.links
		if h := p.welcome(another); bytes.Equal(h.Origin, origin[:]) {
			t.Errorf("the origin is still the same")
		}
		if pub := onChat[*wire.Pub](p); pub.CSeq != 1 || string(pub.Body) != "a" {
			t.Errorf("sent %+v", pub)
		}
		event[LinkUp](r)
	})
}

// TestResetIsShown: a client that dies between a reset and its being shown leaves that to the next one.
func TestResetIsShown(t *testing.T) {
	dir := t.TempDir()
	for life, shows := range []bool{false, false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, change := withState(t, dir, "lobby")
			defer s.Close()
			r := start(t, change)
			defer r.end()
			if life == 0 {
				p := r.accept(nil)
				event[LinkUp](r)
				onChat[*wire.Join](p)
				log := &row{number: 3}
				p.say(log.open("lobby"), log.next("one"))
				r.Shown(event[Opened](r))
				late := event[Message](r)
				p.Close()
				event[LinkDown](r)
				r.accept(func(w *wire.Welcome) { w.Epoch++ })
				event[Reset](r)
				r.Shown(late)
				if len(s.rooms) != 0 {
					t.Errorf("places of a log that is gone are remembered: %v", s.rooms)
				}
				return
			}
			if e := event[Reset](r); e.Room != "" || e.Why != WhyEpoch {
				t.Errorf("life %d: the reset is %+v", life, e)
			} else if shows {
				r.Shown(e)
			}
			p := r.accept(func(w *wire.Welcome) { w.Epoch++ })
			if up := event[LinkUp](r); !up.Resumed {
				t.Errorf("life %d: the link is %+v", life, up)
			}
			if j := onChat[*wire.Join](p); j.Cursor != nil {
				t.Errorf("life %d: the join has a cursor of the old log", life)
			}
		})
	}
	s := openState(t, dir)
	if s.owed != 0 || !s.met || s.epoch != testEpoch+1 {
		t.Errorf("%d resets are owed, epoch %d", s.owed, s.epoch)
	}
}

// TestAnotherLog: the next client notices that the log is another than the one that the last client knew.
func TestAnotherLog(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*wire.Welcome)
		why    string
	}{
		"epoch":           {func(w *wire.Welcome) { w.Epoch++ }, WhyEpoch},
		"acks forgotten":  {func(w *wire.Welcome) { w.LastCSeq = 1 }, WhyAcks},
		"acks from where": {func(w *wire.Welcome) { w.LastCSeq = 4 }, WhyAcks},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openState(t, t.TempDir())
			d := Draft{Room: "lobby", Kind: chat.Text, Text: "a"}
			if err := errors.Join(s.meet(testEpoch, home{}), s.send(1, &d), s.send(2, &d), s.send(3, &d), s.answered(settled{cseq: 1}, settled{cseq: 2})); err != nil {
				t.Fatal(err)
			}
			r := start(t, func(c *Config) { c.State = s })
			r.accept(test.change)
			for e := range r.Events() {
				if reset, ok := e.(Reset); ok {
					if reset.Why != test.why {
						t.Errorf("%s: why is %q", name, reset.Why)
					}
					break
				} else if _, ok := e.(LinkUp); ok {
					t.Fatalf("%s: a link came up", name)
				}
			}
			r.end()
		})
	}
}

// TestWhatWinsOverPlaces: -since and -tail.
func TestWhatWinsOverPlaces(t *testing.T) {
	since := chat.Cursor{Epoch: testEpoch, Seq: 2}
	for name, test := range map[string]struct {
		change func(*Config)
		want   []uint64 // cursors' seqs of the joins; 0: none
	}{
		"places": {func(*Config) {}, []uint64{7, 8}},
		"since":  {func(c *Config) { c.Since = &since }, []uint64{2, 8}},
		"tail":   {func(c *Config) { c.Fresh = true }, []uint64{0, 0}},
		"both":   {func(c *Config) { c.Fresh, c.Since = true, &since }, []uint64{2, 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openState(t, t.TempDir())
			a, b := chat.Cursor{Epoch: testEpoch, Seq: 7}, chat.Cursor{Epoch: testEpoch, Seq: 8}
			if err := errors.Join(s.meet(testEpoch, home{}), s.shown("a", a, false), s.shown("b", b, false)); err != nil {
				t.Fatal(err)
			}
			r := start(t, func(c *Config) { c.State, c.Rooms = s, []string{"a", "b"}; test.change(c) })
			defer r.end()
			p := r.accept(nil)
			for i, want := range test.want {
				j, got := onChat[*wire.Join](p), uint64(0)
				if j.Cursor != nil {
					got = j.Cursor.Seq
				}
				if got != want {
					t.Errorf("%s: join %d is from %d, want %d", name, i, got, want)
				}
			}
		})
	}
}

// TestConversationsGoOn: they are taken up where they were left, and those that began meanwhile from as far back as can be.
func TestConversationsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openState(t, t.TempDir())
		bob := identity.ID{1}
		key := "@" + bob.String()
		if err := errors.Join(s.meet(testEpoch, home{}), s.shown(key, chat.Cursor{Epoch: testEpoch, Seq: 7, Hash: chat.Hash{7}}, false)); err != nil {
			t.Fatal(err)
		}
		r := start(t, func(c *Config) { c.State, c.Direct, c.Tail = s, true, 50 })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		if j := onChat[*wire.Join](p); j.Room != key || j.Cursor == nil || j.Cursor.Seq != 7 {
			t.Errorf("the first join is %+v", j)
		}
		if j := onChat[*wire.Join](p); j.Room != chat.DirectMark || j.Tail != chat.MaxTail {
			t.Errorf("the second join is %+v", j)
		}
		log := &row{number: 4, seq: 7, hash: chat.Hash{7}}
		open := log.open("@bob")
		open.Peer = bob[:]
		p.say(open, log.next("hi"))
		r.Shown(event[Opened](r))
		r.Shown(event[Message](r))
		if got := s.rooms[key].cursor.Seq; got != 8 || len(s.rooms) != 1 {
			t.Errorf("the place is %d in %v", got, s.rooms)
		}
	})
}

// TestQuietRoom: a room in which nothing was said is gone on with too, so that what is said while the client is away is not missed.
func TestQuietRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir(), "lobby")
		r := start(t, change)
		defer r.end()
		p := r.accept(nil)
		log := &row{number: 3, seq: 9, hash: chat.Hash{9}}
		p.say(log.open("lobby"))
		event[LinkUp](r)
		opened := event[Opened](r)
		if got := s.rooms["lobby"]; got.known {
			t.Errorf("before it was shown the place is %+v", got.cursor)
		}
		r.Shown(opened)
		if got := s.rooms["lobby"]; !got.known || got.cursor != (chat.Cursor{Epoch: testEpoch, Seq: 9, Hash: chat.Hash{9}}) {
			t.Errorf("the place is %+v", got)
		}
	})
}

// TestUnfiledAnswersFly: no more sends are on their way than the node remembers outcomes for, counted from the oldest answer that is not noted.
func TestUnfiledAnswersFly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir())
		r := start(t, change)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		s.mu.Lock() // noting down takes long
		r.mu.Lock()
		r.unfiled = make([]settled, 3)
		for i := range uint64(2 * chat.MaxInFlight) {
			r.outbox.send(i+1, Draft{Room: "lobby", Kind: chat.Text, Text: "x"}).filed = true
		}
		r.poke()
		r.mu.Unlock()
		synctest.Wait()
		r.mu.Lock()
		if got := r.outbox.flying; got != chat.MaxInFlight-3 {
			t.Errorf("%d are flying", got)
		}
		r.unfiled = nil
		r.mu.Unlock()
		s.mu.Unlock()
		_ = p
	})
}

// TestLeftIsForgotten: a room that was left begins with its tail the next time.
func TestLeftIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, change := withState(t, t.TempDir(), "lobby")
		r := start(t, change)
		defer r.end()
		p := r.accept(nil)
		log := &row{number: 3}
		p.say(log.open("lobby"), log.next("one"))
		if err := r.Part("lobby"); err != nil {
			t.Fatal(err)
		}
		onChat[*wire.Join](p)
		onChat[*wire.Part](p)
		p.say(&wire.Closed{Room: 3})
		for range 4 { // LinkUp, Opened, Message, Left: the place is noted when the room is no more
			r.Shown(event[Event](r))
		}
		if len(s.rooms) != 0 {
			t.Errorf("remembered: %v", s.rooms)
		}
	})
}

// TestGapsAreShownAgain: a client that dies between a gap or a reset of a room and its being shown has the next one show it.
func TestGapsAreShownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openState(t, t.TempDir())
		was := chat.Cursor{Epoch: testEpoch, Seq: 3}
		if err := errors.Join(s.meet(testEpoch, home{}), s.shown("lobby", was, false), s.read("lobby", 3)); err != nil {
			t.Fatal(err)
		}
		r := start(t, func(c *Config) { c.State, c.Rooms = s, []string{"lobby"} })
		defer r.end()
		p := r.accept(nil)
		p.say(&wire.Open{Room: 3, Name: "lobby", From: 9, Head: 8, Hash: chat.Hash{8}})
		event[LinkUp](r)
		r.Shown(event[Opened](r))
		if got := s.rooms["lobby"].cursor; got != was {
			t.Errorf("ahead of the gap the place is %+v", got)
		}
		r.Shown(event[Gap](r))
		if got := s.rooms["lobby"]; got.cursor.Seq != 8 || got.read != 3 {
			t.Errorf("behind the gap: %+v", got)
		}
		p.say(&wire.Open{Room: 3, Name: "lobby", Status: wire.StatusReset, Why: wire.WhyHash, From: 2, Head: 1})
		r.Shown(event[Opened](r))
		r.Shown(event[Reset](r))
		if got := s.rooms["lobby"]; got.cursor.Seq != 1 || got.read != 0 {
			t.Errorf("behind the reset: %+v", got)
		}
	})
}

// TestRestoredSendsCount: what an earlier client left counts towards the bounds of the outbox.
func TestRestoredSendsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openState(t, t.TempDir())
		for cseq := range uint64(3) {
			if err := s.send(cseq+1, &Draft{Room: "lobby", Kind: chat.Text, Text: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, func(c *Config) { c.State, c.MaxPending = s, 2 })
		defer r.end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Send(ctx, Draft{Room: "lobby", Kind: chat.Text, Text: "b"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send with three of two pending: %v", err)
		}
	})
}

// TestSendsAtOnce: the state has the sends of many goroutines in the order in which the node gets them.
func TestSendsAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	c := New(Config{Name: "carol", Key: testKey(), Dial: func(context.Context) (Link, error) { return nil, errDial }, State: s})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 50 {
				if _, err := c.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Text, Text: fmt.Sprint(i, " ", k)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	again := openState(t, dir)
	if len(again.sends) != 400 || again.next != 401 || c.Pending() != 400 {
		t.Fatalf("%d sends up to %d are remembered, %d pending", len(again.sends), again.next, c.Pending())
	}
	for i, e := range c.outbox.entries {
		if again.sends[e.cseq].Text != e.draft.Text || e.cseq != uint64(i+1) || e.n != e.cseq {
			t.Fatalf("entry %d has number %d and text %q, and the state %q", i, e.cseq, e.draft.Text, again.sends[e.cseq].Text)
		}
	}
}
