package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatnode/internal/faults"
	"chatnode/internal/store"
)

// reader is a client in a process of its own, whose user sees what it prints.
type reader struct {
	*process
	name string
	json bool
}

// shows reports whether a message that begins like this was printed.
func (r *reader) shows(text string) bool {
	if !r.json {
		return strings.Contains(r.Said(), text)
	}
	return slices.ContainsFunc(r.printed("message"), func(o map[string]any) bool { return strings.HasPrefix(o["text"].(string), text) })
}

// printed returns the objects of a type that were printed so far.
func (p *process) printed(kind string) (found []map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.objects {
		if o["type"] == kind {
			found = append(found, o)
		}
	}
	return found
}

// awaits waits until what a process printed satisfies done.
func (tr *trial) awaits(p *process, what string, done func() bool) {
	tr.Helper()
	timeout := time.After(tr.Patience)
	for {
		p.mu.Lock()
		grown := p.grown
		p.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-grown:
		case <-p.ended:
			tr.Fatalf("%s: the process ended with %d; it said:\n%s", what, p.Code(), p.Said())
		case <-timeout:
			tr.Fatalf("%s: %v; the process said:\n%s", what, errLate, p.Said())
		}
	}
}

// ResumeIsShown has people watch a room through all that can happen to their place in it, as JSON and as lines: nothing is shown where nothing
// is lost, a gap where rows were let go of, and a reset, with its reason, where the log is another.
func ResumeIsShown(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather("alice")
	key := filepath.Join(tr.home, "node.key") // so that it is the same node, when all it had kept is gone
	up := func() *process { return tr.up(Orders{}, "-identity", key) }
	node := up()
	proxy, err := faults.NewProxy(tr.address)
	tr.check(err)
	t.Cleanup(proxy.Close)
	readers := tr.readers(proxy.Addr())
	c.sayTo(readers)
	tr.kill(node)
	node = up()
	c.sayTo(readers)
	tr.expectNoLossShown(readers)

	old := filepath.Join(tr.home, "old")
	proxy.Hold(true, true)
	proxy.Reset()
	c.chat()
	tr.kill(node)
	tr.copyStore(tr.dir, old)
	tr.retain(1)
	node = up()
	proxy.Resume()
	tr.isShown(readers, "gap", "", "older messages in #lobby are not kept any more")
	c.sayTo(readers)

	tr.kill(node)
	tr.copyStore(old, tr.dir)
	node = up()
	tr.isShown(readers, "reset", "ahead", "#lobby begins anew: the node's log ends before what was shown here")
	c.sayTo(readers)

	tr.kill(node)
	tr.check(os.RemoveAll(tr.dir))
	node = up()
	tr.isShown(readers, "reset", "epoch", "all rooms begin anew: the node has begun a new log")
	c.sayTo(readers)
	tr.stop(node)
}

// readers starts a reader of each kind, and waits until they are in the room.
func (tr *trial) readers(address string) []*reader {
	tr.Helper()
	all := []*reader{{name: "bob", json: true}, {name: "carol"}}
	for _, r := range all {
		args := []string{"-connect", address, "-name", r.name, "-follow", "-timeout", "60s"}
		if r.json {
			args = append(args, "-json")
		}
		r.process = tr.spawn(Orders{}, args...)
	}
	tr.isShown(all, "opened", "", "you are in #lobby")
	return all
}

// expectNoLossShown fails the test if the readers were shown a loss, or as much as a beginning.
func (tr *trial) expectNoLossShown(readers []*reader) {
	tr.Helper()
	for _, r := range readers {
		if n := len(r.printed("gap")) + len(r.printed("reset")); n > 0 || strings.Contains(r.Said(), "not kept") || strings.Contains(r.Said(), "anew") {
			tr.Errorf("%s is shown a loss, and nothing is lost:\n%s", r.name, r.Said())
		}
		if links := r.printed("link"); r.json && links[len(links)-1]["resumed"] != true {
			tr.Errorf("behind a kill of the node, %s goes on with %v, want resumed", r.name, links[len(links)-1])
		}
	}
}

// sayTo has everybody say a word, which the readers are shown.
func (c *crowd) sayTo(readers []*reader) {
	c.Helper()
	c.talk(1)
	c.talkers.Wait()
	c.converge()
	for _, m := range c.members {
		text := fmt.Sprintf("%s %d ", m.name, m.said)
		for _, r := range readers {
			c.awaits(r.process, fmt.Sprintf("%s to be shown %q", r.name, text), func() bool { return r.shows(text) })
		}
	}
}

// isShown waits until the readers are shown an object of a kind, for a reason, or the words that stand for it.
func (tr *trial) isShown(readers []*reader, kind, why, words string) {
	tr.Helper()
	for _, r := range readers {
		tr.awaits(r.process, fmt.Sprintf("%s to be shown a %s", r.name, kind), func() bool {
			if !r.json {
				return strings.Contains(r.Said(), words)
			}
			return slices.ContainsFunc(r.printed(kind), func(o map[string]any) bool { return why == "" || o["why"] == why })
		})
	}
}

// retain has the store, which no node has open, let go of all rows above so many bytes.
func (tr *trial) retain(bytes int64) {
	tr.Helper()
	s, err := store.Open(tr.dir, store.Options{Total: bytes})
	tr.check(err)
	tr.check(s.Retain(context.Background()))
	tr.check(s.Close())
}
