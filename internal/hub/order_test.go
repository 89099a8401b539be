package hub

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestOrderIsTheSameForAll lets many sessions publish at once into some rooms that all of them are in.
func TestOrderIsTheSameForAll(t *testing.T) {
	tests := map[string]struct {
		rooms int
		delay time.Duration
	}{
		"one room":              {1, 0},
		"several rooms":         {3, 0},
		"one room, slow store":  {1, 3 * time.Millisecond},
		"many rooms, slow disk": {5, 20 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { allPublish(t, tt.rooms, tt.delay) })
		})
	}
}

func allPublish(t *testing.T, rooms int, delay time.Duration) {
	const clients = 50
	messages := 30
	if raceEnabled {
		messages = 10
	}
	w := newWorld(t)
	for i := range clients {
		c := w.newClient(fmt.Sprint("client", i))
		c.attach()
		for r := range rooms {
			c.submit(&wire.Join{Room: fmt.Sprint("room", r)})
		}
	}
	w.settle()
	w.store.set(func() { w.store.delay = delay })
	var wg sync.WaitGroup
	for i, c := range w.clients {
		c.start()
		wg.Go(func() {
			for n := range messages {
				c.submit(c.pub(fmt.Sprint("room", (i+n)%rooms), fmt.Sprint(c.asked, " ", n)))
				if n%7 == i%7 {
					<-time.After(time.Millisecond) // of the bubble
				}
			}
		})
	}
	wg.Wait()
	synctest.Wait()
	elapse(time.Second)
	synctest.Wait()
	total := 0
	for r := range rooms {
		room := fmt.Sprint("room", r)
		want := w.clients[0].texts(room)
		total += len(want)
		for _, c := range w.clients {
			if got := c.texts(room); !slices.Equal(got, want) {
				t.Fatalf("%s and %s differ in %s (-first +other):\n%s", w.clients[0].asked, c.asked, room, cmp.Diff(want, got))
			}
		}
	}
	if total != clients*messages {
		t.Errorf("%d rows were seen, want %d", total, clients*messages)
	}
	for _, c := range w.clients {
		if len(c.answers) != messages {
			t.Errorf("%s got %d answers, want %d", c.asked, len(c.answers), messages)
		}
	}
	w.checkHistory()
}

// TestNothingIsSeenBeforeTheCommit holds the store up while everything that a session can ask for is in the batch.
func TestNothingIsSeenBeforeTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		bob.submit(&wire.Join{Room: chat.DirectMark})
		alice.say("lobby", "before")
		seen := len(alice.order) + len(bob.order)
		release := w.store.block()
		alice.submit(alice.pub("lobby", "hidden"), alice.pub("@bob", "psst"), &wire.Nick{Name: "alicia"}, &wire.Nick{Name: "!"},
			alice.pub("lobby", ""), &wire.Part{Room: "nowhere"}, &wire.Join{Room: "NO"}, &wire.Join{Room: "lobby", Tail: 9}, &wire.Part{Room: "lobby"})
		carol := w.newClient("carol")
		attached := make(chan error, 1)
		go func() { attached <- carol.tryAttach(carol.guest()) }()
		w.settle()
		if got := len(alice.order) + len(bob.order); got != seen {
			t.Errorf("%d records were seen before the commit: %v %v", got-seen, alice.order, bob.order)
		}
		if _, head := w.hub.rooms["lobby"].log.now(); head != 1 {
			t.Errorf("an Open would tell head %d before the commit, want 1", head)
		}
		select {
		case <-attached:
			t.Error("Attach returned before the commit")
		default:
		}
		release()
		w.settle()
		if err := <-attached; err != nil {
			t.Error(err)
		}
		want := []string{"before", "hidden"}
		if diff := cmp.Diff(want, bob.texts("lobby")); diff != "" {
			t.Errorf("bob's lobby (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"psst"}, bob.texts("@alice")); diff != "" {
			t.Errorf("bob's conversation with alice (-want +got):\n%s", diff)
		}
	})
}

// TestStoreErrorEndsTheHub fails a commit: nobody may have seen anything of that batch.
func TestStoreErrorEndsTheHub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "kept")
		seenA, seenB := len(alice.order), len(bob.order)
		broken := errors.New("disk on fire")
		w.failed = broken
		w.store.set(func() { w.store.fail = broken })
		alice.submit(alice.pub("lobby", "lost"), &wire.Nick{Name: "ally"}, &wire.Nick{Name: "?"})
		w.settle()
		w.end()
		if len(alice.order) != seenA || len(bob.order) != seenB {
			t.Errorf("seen of a batch that failed: %v %v", alice.order[seenA:], bob.order[seenB:])
		}
		if err := bob.session.Submit(nil, bob.pub("lobby", "late")); !errors.Is(err, ErrStopped) {
			t.Errorf("Submit after the end = %v, want ErrStopped", err)
		}
		w.checkHistory()
	})
}

// TestAuthorOrder types four things in a row: the names and the topic in the log follow their order.
func TestAuthorOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		topic := alice.pub("lobby", "news")
		topic.CSeq, topic.Kind = 2, chat.Topic
		alice.cseq = 1
		hi := &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("hi")}
		bye := &wire.Pub{CSeq: 3, Room: "lobby", Kind: chat.Action, Body: []byte("leaves")}
		alice.do(hi, &wire.Nick{Name: "ally"}, topic, &wire.Nick{Name: "alison"}, bye)
		var got []string
		for _, r := range bob.view("lobby").rows {
			got = append(got, fmt.Sprint(r.Name, " ", r.Kind, " ", string(r.Body)))
		}
		want := []string{"alice text hi", "ally topic news", "alison action leaves"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		carol := w.attach("carol", "lobby")
		if got := carol.view("lobby").opens[0].Topic; got != "news" {
			t.Errorf("topic = %q, want %q", got, "news")
		}
	})
}

// TestRepliesKeepTheirOrder asks for names, good and bad: the answers come in the order of the questions.
func TestRepliesKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		w.attach("bob")
		alice.submit(&wire.Nick{Name: "ally"}, &wire.Nick{Name: "!"}, &wire.Nick{Name: "bob"}, &wire.Nick{Name: "alison"})
		w.settle()
		var got []string
		for _, r := range alice.replies {
			n := r.(*wire.Named)
			got = append(got, fmt.Sprint(n.Name, " ", n.Code))
		}
		want := []string{"ally ok", "ally bad_name", "ally name_taken", "alison ok"}
		if !slices.Equal(got, want) {
			t.Errorf("answers to nicks = %q, want %q", got, want)
		}
	})
}

// TestTimeNeverGoesBack sets the clock back between two rows.
func TestTimeNeverGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shift := time.Duration(0)
		w := newWorld(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(shift) } })
		alice := w.attach("alice", "lobby")
		alice.say("lobby", "one")
		shift = -time.Hour
		alice.say("lobby", "two")
		rows := alice.view("lobby").rows
		if rows[1].Time < rows[0].Time {
			t.Errorf("row 2 has time %d, row 1 %d", rows[1].Time, rows[0].Time)
		}
	})
}
