package client

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// bobs is a conversation as a node opens it to the client.
func bobs(log *row, name string) *wire.Open {
	open := log.open("@" + name)
	open.Peer = person(2, name).ID
	return open
}

// noteOf returns the note on an open room.
func (r *rig) noteOf(room string) string {
	r.t.Helper()
	state, open := r.Room(room)
	if !open {
		r.t.Errorf("%s is not open", room)
	}
	return state.Note
}

// prefer has a note remembered, which must be taken.
func (r *rig) prefer(room, note string) {
	r.t.Helper()
	if err := r.Prefer(room, note); err != nil {
		r.t.Errorf("Prefer(%q, %q): %v", room, note, err)
	}
}

// TestNotesGoOn: the next client has the note of each room, of a conversation by its key, whatever it is told to begin with.
func TestNotesGoOn(t *testing.T) {
	dir := t.TempDir()
	for life, change := range []func(*Config){
		nil, nil, func(c *Config) { c.Fresh = true }, func(c *Config) { c.Since = &chat.Cursor{Epoch: testEpoch} },
	} {
		synctest.Test(t, func(t *testing.T) {
			s, with := withState(t, dir, "lobby", "ops")
			defer s.Close()
			r := start(t, func(c *Config) {
				with(c)
				c.Direct = true
				if change != nil {
					change(c)
				}
			})
			defer r.end()
			p := r.accept(nil)
			event[LinkUp](r)
			name := []string{"bob", "robert", "robert", "robert"}[life]
			p.say((&row{number: 1}).open("lobby"), (&row{number: 2}).open("ops"), bobs(&row{number: 3}, name))
			for range 3 {
				r.Shown(event[Opened](r))
			}
			if life == 0 {
				r.prefer("lobby", "off")
				r.prefer("lobby", "all")
				r.prefer("lobby", "all")
				r.prefer("ops", "off")
				r.prefer("ops", "")
				r.prefer("@bob", "off")
			}
			for room, want := range map[string]string{"lobby": "all", "ops": "", "@" + name: "off"} {
				if got := r.noteOf(room); got != want {
					t.Errorf("life %d: the note on %s is %q, want %q", life, room, got, want)
				}
			}
		})
	}
}

// TestNotesOfAnotherLog: what a user wants of a room holds for its next log too, whether one room's began anew or all did.
func TestNotesOfAnotherLog(t *testing.T) {
	dir := t.TempDir()
	for life := range 2 {
		synctest.Test(t, func(t *testing.T) {
			s, with := withState(t, dir, "lobby", "ops")
			defer s.Close()
			r := start(t, func(c *Config) { with(c); c.Direct = true })
			defer r.end()
			another := func(w *wire.Welcome) { w.Epoch += uint64(life) }
			log := &row{number: 2}
			open := func(p *peer) {
				p.say((&row{number: 1}).open("lobby"), log.open("ops"), bobs(&row{number: 3}, "bob"))
				for range 3 {
					r.Shown(event[Opened](r))
				}
			}
			p := r.accept(another)
			event[LinkUp](r)
			open(p)
			if life == 0 {
				r.prefer("lobby", "all")
				r.prefer("ops", "off")
				r.prefer("@bob", "off")
				p.say(log.next("one"))
				r.Shown(event[Message](r))
				p.say(&wire.Open{Room: 2, Name: "ops", Status: wire.StatusReset, Why: wire.WhyAhead, From: 1})
				event[Opened](r)
				r.Shown(event[Reset](r)) // of that room
				p.Close()
				event[LinkDown](r)
				another = func(w *wire.Welcome) { w.Epoch++ }
				r.accept(another)
				r.Shown(event[Reset](r)) // of everything
				p = r.accept(another)
				event[LinkUp](r)
				log = &row{number: 2}
				open(p)
			}
			for room, want := range map[string]string{"lobby": "all", "ops": "off", "@bob": "off"} {
				if got := r.noteOf(room); got != want {
					t.Errorf("life %d: the note on %s is %q, want %q", life, room, got, want)
				}
			}
		})
	}
}

// TestANoteOpensNothing: a conversation that only a note is left of is not asked for.
func TestANoteOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openState(t, t.TempDir())
		bob := "@" + idOfPerson(2).String()
		if err := errors.Join(s.meet(testEpoch, home{}), s.prefer(bob, "off")); err != nil {
			t.Fatal(err)
		}
		r := start(t, func(c *Config) { c.State, c.Direct = s, true })
		defer r.end()
		p := r.accept(nil)
		if j := onChat[*wire.Join](p); j.Room != chat.DirectMark {
			t.Errorf("asked for %q", j.Room)
		}
		p.say(bobs(&row{number: 3}, "bob"))
		event[LinkUp](r)
		event[Opened](r)
		if got := r.noteOf("@bob"); got != "off" {
			t.Errorf("the note on it is %q", got)
		}
	})
}

// TestWhatIsNoNote: it is refused whole; a room that is not open has none, and one that was left has none any more.
func TestWhatIsNoNote(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, with := withState(t, dir, "lobby", "ops")
		r := start(t, with)
		if err := r.Prefer("lobby", "off"); !isRefusal(err, chat.NotJoined) {
			t.Errorf("before it is open: %v", err)
		}
		p := r.accept(nil)
		event[LinkUp](r)
		p.say((&row{number: 1}).open("lobby"), (&row{number: 2}).open("ops"))
		event[Opened](r)
		event[Opened](r)
		r.prefer("ops", strings.Repeat("é", maxNote/2))
		r.prefer("lobby", "all")
		for name, note := range map[string]string{
			"too long": strings.Repeat("x", maxNote+1), "two lines": "a\nb", "a terminal's": "a\x1b[2J", "no UTF-8": "\xff", "C1": "a\u009bb",
		} {
			if err := r.Prefer("lobby", note); !errors.Is(err, errNote) {
				t.Errorf("%s: %v", name, err)
			}
			if err := s.apply(noteRecord("lobby", note)); !errors.Is(err, errNoSense) {
				t.Errorf("%s, in a file: %v", name, err)
			}
		}
		for _, room := range []string{"nowhere", "@bob", "", "@"} {
			if err := r.Prefer(room, "off"); !isRefusal(err, chat.NotJoined) {
				t.Errorf("on %q: %v", room, err)
			}
		}
		if got := r.noteOf("lobby"); got != "all" {
			t.Errorf("the note is %q", got)
		}
		if err := r.Part("ops"); err != nil {
			t.Fatal(err)
		}
		p.say(&wire.Closed{Room: 2})
		r.Shown(event[Left](r))
		if err := r.Prefer("ops", "off"); !isRefusal(err, chat.NotJoined) {
			t.Errorf("after it was left: %v", err)
		}
		var all sync.WaitGroup
		for _, note := range []string{"a", "b", "c", "d"} {
			all.Go(func() { r.prefer("lobby", note) })
		}
		all.Wait()
		want := r.noteOf("lobby")
		r.end()
		r.prefer("lobby", want) // after the end it does no harm
		_ = s.Close()
		again := openState(t, dir)
		if got := again.rooms["lobby"].note; got != want || len(again.rooms) != 1 {
			t.Errorf("the file has %q, %d rooms; the client had %q", got, len(again.rooms), want)
		}
	})
}

func isRefusal(err error, code chat.Code) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == code
}

// TestNotesAreWrittenAnew: what a journal is compacted to has them, and not those that were taken back.
func TestNotesAreWrittenAnew(t *testing.T) {
	s := openState(t, t.TempDir())
	if err := errors.Join(s.prefer("lobby", "off"), s.prefer("lobby", "all"), s.prefer("ops", "off"), s.prefer("ops", "")); err != nil {
		t.Fatal(err)
	}
	again := newMemory()
	for _, r := range s.records() {
		if bytes.HasPrefix(r, noteRecord("ops", "")[:5]) {
			t.Errorf("a note that was taken back is written: %q", r)
		}
		if err := again.apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := again.rooms["lobby"].note; got != "all" {
		t.Errorf("written anew, the note is %q", got)
	}
}

// TestReadOfAConversation: how far it was read hangs on the other's key too, whether or not the client got to say that it was shown.
func TestReadOfAConversation(t *testing.T) {
	for _, shown := range []bool{true, false} {
		dir := t.TempDir()
		for life, name := range []string{"bob", "robert"} {
			synctest.Test(t, func(t *testing.T) {
				s, with := withState(t, dir)
				defer s.Close()
				r := start(t, func(c *Config) { with(c); c.Direct = true })
				defer r.end()
				p := r.accept(nil)
				event[LinkUp](r)
				log := &row{number: 3}
				if life == 1 && shown {
					log.next("one")
				}
				p.say(bobs(log, name))
				event[Opened](r)
				if life == 0 {
					p.say(log.next("one"))
					if m := event[Message](r); shown {
						r.Shown(m)
					}
					r.Read("@bob", 1)
				}
				if state, _ := r.Room("@" + name); state.Read != 1 {
					t.Errorf("shown %v, life %d: read up to %d, want 1", shown, life, state.Read)
				}
			})
		}
	}
}
