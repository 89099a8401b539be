package trial

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/faults"
	"chatnode/internal/oracle"
)

const (
	// mostWords is how many messages a client is given that will be killed, mostWriting how long it lives at most.
	mostWords   = 40
	mostWriting = 60 * time.Millisecond
)

// sender is a user who writes to one client process after the other, each of which has what the one before has left.
type sender struct {
	*trial
	*process // the present one
	story    *oracle.Client
	proxy    *faults.Proxy
	data     string
	written  uint64          // messages, by all of them
	taken    map[string]bool // the texts of those that a client is known to have read
}

// ClientsAreKilled kills the clients of one user in mid-send, one after the other: at any moment, and with all that was sent kept by the node and
// none of its answers heard. The next one with the same -data sends what is left: what a client has taken is in the log, once, in order.
func ClientsAreKilled(t testing.TB, house House) {
	tr := begin(t, house)
	node := tr.up(Orders{})
	c := tr.gather("alice")
	proxy, err := faults.NewProxy(tr.address)
	tr.check(err)
	t.Cleanup(proxy.Close)
	s := &sender{trial: tr, story: tr.history.Client("ci"), proxy: proxy, data: filepath.Join(tr.home, "kept"), taken: map[string]bool{}}
	for life := range max(2, house.Flags.Kills/3) {
		s.rise()
		if life%2 == 0 {
			s.dieUnanswered(c)
		} else {
			s.dieAnywhere()
		}
		s.tellAcks()
		s.proxy.Resume()
	}
	s.rise()
	tr.check(s.in.Close())
	if code := tr.over(s.process); code != 0 {
		t.Errorf("the last client ends with %d; it said: %s", code, s.Said())
	}
	s.tellAcks()
	tr.kill(node)
	log := tr.judgeBy(tr.dir, tr.history)
	for _, row := range log.Rooms[room] {
		delete(s.taken, row.Text)
	}
	for text := range s.taken {
		t.Errorf("%q was taken by a client, and is not kept", text)
	}
}

// rise starts the next client and waits until it has a link.
func (s *sender) rise() {
	s.Helper()
	s.process = s.spawn(Orders{}, "-connect", s.proxy.Addr(), "-name", "ci", "-json", "-data", s.data, "-timeout", "60s")
	s.awaits(s.process, "a link", func() bool { return len(s.printed("link")) > 0 })
}

// write gives the client a message, and reports false when it takes no more.
func (s *sender) write() (text string, ok bool) {
	s.written++
	text = fmt.Sprintf("ci %d", s.written)
	s.story.Invoke(s.written, room, text)
	line, err := json.Marshal(map[string]string{"type": "send", "ref": strconv.FormatUint(s.written, 10), "text": text})
	s.check(err)
	_, err = s.in.Write(append(line, '\n'))
	return text, err == nil
}

// dieUnanswered has the client send, hear nothing of it, and be killed when some of it is kept.
func (s *sender) dieUnanswered(c *crowd) {
	s.Helper()
	s.proxy.Hold(false, true)
	var texts []string
	for range mostWords {
		text, ok := s.write()
		if !ok {
			s.Fatalf("the client takes no more than %d messages; it said: %s", len(texts), s.Said())
		}
		texts = append(texts, text)
	}
	_, err := fmt.Fprintln(s.in, `{"type":"command","line":"/help"}`)
	s.check(err)
	s.awaits(s.process, "all to be taken", func() bool { return len(s.printed("help")) > 0 })
	for _, text := range texts {
		s.taken[text] = true
	}
	some := s.random.IntN(len(texts))
	c.await("some of it to be kept", func() bool { return slices.Contains(texts[some:], c.members[0].last.Text) })
	s.kill(s.process)
}

// dieAnywhere has the client killed while it is being written to.
func (s *sender) dieAnywhere() {
	s.Helper()
	var group sync.WaitGroup
	group.Go(func() {
		for range mostWords {
			if _, ok := s.write(); !ok {
				return
			}
		}
	})
	pause(s.ctx, time.Duration(s.random.Int64N(int64(mostWriting))))
	s.kill(s.process)
	group.Wait()
}

// tellAcks tells the oracle what a client that has ended was answered of what was written to it. Of what an earlier one left it says no number.
func (s *sender) tellAcks() {
	s.Helper()
	for _, ack := range s.printed("ack") {
		ref, given := ack["ref"].(string)
		if !given {
			continue
		}
		n, err := strconv.ParseUint(ref, 10, 64)
		s.check(err)
		id, err := chat.ParseID(ack["id"].(string))
		s.check(err)
		s.story.Acked(n, uint64(ack["seq"].(float64)), id)
		s.taken[fmt.Sprintf("ci %d", n)] = true
	}
}
