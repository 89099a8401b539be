package session

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// A client that says nothing, and is told nothing, has no goroutine of its own; half a record changes nothing but for its own
// reader, and all is done when there is something to do again.
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
		if strings.Contains(header, "synctest bubble") && strings.Contains(stack, "errand.(*Errand).run(") {
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
