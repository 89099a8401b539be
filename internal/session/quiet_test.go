package session

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// A client that says nothing, and is told nothing, has no goroutine of its own, nor has one that has said half a record; and all is done when there is
// something to do again.
func TestQuietClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := arrive(t, newHost(t))
		g.enter("carol")
		g.say(g.chat, &wire.Join{Room: "lobby"})
		expect[*wire.Open](g, g.fromChat)
		for cseq := range uint64(3) {
			synctest.Wait()
			if n := errands(); n != 0 {
				t.Errorf("a quiet client has %d goroutines", n)
			}
			half := wire.Must(nil, &wire.Pub{CSeq: cseq + 1, Room: "lobby", Kind: chat.Text, Body: []byte("hello")})
			for _, piece := range [][]byte{half[:7], half[7:]} {
				if _, err := g.chat.Write(piece); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := errands(); n != 0 {
					t.Errorf("a client that has said half a record has %d goroutines", n)
				}
			}
			for range 2 { // the event and the ack, in either order
				if _, err := g.fromChat.Next(); err != nil {
					t.Fatal(err)
				}
			}
			g.say(g.control, &wire.List{})
			expect[*wire.ListIs](g, g.fromControl)
		}
		g.link.Close()
		<-g.ended
		synctest.Wait()
		if n := errands(); n != 0 {
			t.Errorf("%d goroutines are left of a client that has gone", n)
		}
	})
}

// errands counts the goroutines of this bubble that do something for a client. One of an earlier test, which has closed its errand, may not be quite gone yet.
func errands() (n int) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		header, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(header, "synctest bubble") && (strings.Contains(stack, "errand.(*Errand).run(") || strings.Contains(stack, "errand.(*Crew).work(")) {
			n++
		}
	}
	return n
}

// What a client said before it went without a word is taken.
func TestLastWords(t *testing.T) {
	h := newHost(t)
	listener := arrive(t, h)
	listener.enter("bob")
	listener.say(listener.chat, &wire.Join{Room: "lobby"})
	expect[*wire.Open](listener, listener.fromChat)
	for i := range 20 {
		g := arrive(t, h)
		g.enter(fmt.Sprint("carol", i))
		g.say(g.chat, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("bye")})
		g.link.Close()
		<-g.ended
		expect[*wire.Event](listener, listener.fromChat)
	}
}

// However many clients take nothing, all others are written to; and those have lost nothing when they take it again.
func TestStalledClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		comes := func(name string) *guest {
			g := arrive(t, h)
			g.enter(name)
			g.say(g.chat, &wire.Join{Room: "lobby"})
			expect[*wire.Open](g, g.fromChat)
			return g
		}
		carol, alice := comes("carol"), comes("alice")
		var stalled []*guest
		for i := range 4 * runtime.GOMAXPROCS(0) {
			stalled = append(stalled, comes(fmt.Sprint("bob", i)))
		}
		for i, g := range stalled {
			full := g.link.control.out
			if i%2 == 0 {
				full = g.link.chat.out
			}
			full.fill(true)
			g.say(g.control, &wire.List{})
		}
		resume := func() {
			for _, g := range stalled {
				g.link.control.out.fill(false)
				g.link.chat.out.fill(false)
			}
		}
		defer resume()
		const count = 20
		for i := range count {
			carol.say(carol.chat, &wire.Pub{CSeq: uint64(i + 1), Room: "lobby", Kind: chat.Text, Body: []byte("hello")})
			if synctest.Wait(); !alice.chat.Ready() {
				t.Fatalf("message %d waits for those who take nothing", i+1)
			}
			if e := expect[*wire.Event](alice, alice.fromChat); e.CSeq != uint64(i+1) {
				t.Fatalf("alice reads message %d, want %d", e.CSeq, i+1)
			}
		}
		resume()
		for _, g := range stalled {
			expect[*wire.ListIs](g, g.fromControl)
			for i := range count {
				if e := expect[*wire.Event](g, g.fromChat); e.CSeq != uint64(i+1) {
					t.Fatalf("a client that stalled reads message %d, want %d", e.CSeq, i+1)
				}
			}
		}
	})
}

// Those who were told goodbye and do not go keep nobody waiting.
func TestLingeringClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		alice := arrive(t, h)
		alice.enter("alice")
		for i := range 4 * runtime.GOMAXPROCS(0) {
			g := arrive(t, h)
			g.enter(fmt.Sprint("bob", i))
			g.say(g.chat, &wire.Hello{})
			expect[*wire.Bye](g, g.fromControl)
		}
		began := time.Now()
		alice.say(alice.control, &wire.List{})
		expect[*wire.ListIs](alice, alice.fromControl)
		if took := time.Since(began); took > 0 {
			t.Errorf("an answer came after %v", took)
		}
	})
}
