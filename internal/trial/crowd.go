package trial

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/faults"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
)

const (
	// fewUnanswered bounds what a client has said and is not answered, so that batches are small and many; manyUnanswered is more than may be on
	// its way at one time.
	fewUnanswered, manyUnanswered = 16, 4 * chat.MaxInFlight
	// longTexts is how many messages there are for each that is long.
	longTexts = 12
	// maxBackoff is how long a client waits at most before it dials again.
	maxBackoff = 20 * time.Millisecond
)

// crowd is a number of clients that talk in one room, each through a proxy of its own.
type crowd struct {
	*trial
	members    []*member
	heard      []*oracle.History // those that hear of members that are added
	unanswered int               // messages of each, at most
	group      sync.WaitGroup    // of all goroutines
	talkers    sync.WaitGroup
	hush       context.CancelFunc // ends those that talk; nil while none does

	// mu guards all that members know; grown is closed and made anew with each change.
	mu    sync.Mutex
	grown chan struct{}
}

// member is one client of a crowd.
type member struct {
	*client.Client
	crowd   *crowd
	name    string
	proxy   *faults.Proxy
	stories []*oracle.Client // one in each history that hears of it
	hearsay []*oracle.Client // one in each history that knows what it says, and no more
	said    uint64           // messages; owned by who talks for it

	// Guarded by crowd.mu.
	epoch   uint64
	answers int
	last    oracle.Row // shown
	acked   uint64     // the highest row
	resets  []client.Reset
	gaps    []client.Gap
	notices []client.Notice
	downs   int
	gone    bool // Run has returned
}

// gather starts a crowd.
func (tr *trial) gather(names ...string) *crowd {
	tr.Helper()
	c := &crowd{trial: tr, heard: []*oracle.History{tr.history}, unanswered: fewUnanswered, grown: make(chan struct{})}
	tr.Cleanup(c.disperse)
	for _, name := range names {
		c.add(name)
	}
	return c
}

// add starts another client, of the node that is the trial's now.
func (c *crowd) add(name string) *member {
	c.Helper()
	proxy, err := faults.NewProxy(c.address)
	c.check(err)
	key, err := identity.NewKey(rand.Reader)
	c.check(err)
	m := &member{crowd: c, name: name, proxy: proxy}
	for _, history := range c.heard {
		m.stories = append(m.stories, history.Client(name))
	}
	m.Client = client.New(client.Config{
		Name: name, Key: key, Dial: c.Dial(key, []string{proxy.Addr()}), Rooms: []string{room}, Tail: chat.MaxTail, MaxPending: c.unanswered,
		Backoff: func(int) time.Duration { return mathrand.N(maxBackoff) },
	})
	c.group.Go(func() {
		if err := m.Run(c.ctx); err != nil {
			c.Errorf("%s: %v", name, err)
		}
	})
	c.group.Go(m.listen)
	c.changed(func() { c.members = append(c.members, m) })
	return m
}

// disperse ends all clients.
func (c *crowd) disperse() {
	for _, m := range c.members {
		m.Close()
	}
	c.quiet()
	c.group.Wait()
	for _, m := range c.members {
		m.proxy.Close()
	}
}

// listen takes in what a client lives through, until it ends.
func (m *member) listen() {
	for e := range m.Events() {
		m.tell(e)
		m.crowd.changed(func() { m.note(e) })
	}
	m.crowd.changed(func() { m.gone = true })
}

// changed has f change what members know, and wakes those who wait for it.
func (c *crowd) changed(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.grown)
	c.grown = make(chan struct{})
}

// tell tells the oracle.
func (m *member) tell(e client.Event) {
	for _, story := range m.stories {
		switch e := e.(type) {
		case client.LinkUp:
			story.Epoch(e.Epoch)
		case client.Ack:
			story.Acked(e.N, e.Seq, e.ID)
		case client.Refused:
			story.Refused(e.N, e.Code)
		case client.Message:
			story.Shown(e.Room, rowOf(e.Seq, e.Text, e.ID, e.From, 0))
		case client.Gap:
			story.Gap(e.Room)
		case client.Reset:
			story.Reset(e.Room)
		}
	}
}

// note keeps what waiting needs to know.
func (m *member) note(e client.Event) {
	switch e := e.(type) {
	case client.LinkUp:
		m.epoch = e.Epoch
	case client.LinkDown:
		m.downs++
	case client.Ack:
		m.answers++
		m.acked = max(m.acked, e.Seq)
	case client.Refused:
		m.answers++
	case client.Message:
		m.last = rowOf(e.Seq, e.Text, e.ID, e.From, 0)
	case client.Gap:
		m.gaps = append(m.gaps, e)
	case client.Reset:
		m.resets = append(m.resets, e)
		m.acked, m.last = 0, oracle.Row{}
	case client.Notice:
		m.notices = append(m.notices, e)
	}
}

// talk has members, or everybody, say something, again and again, until quiet is called; at most so many messages each, unless that is 0.
func (c *crowd) talk(most int, members ...*member) {
	ctx, hush := context.WithCancel(c.ctx)
	c.hush = hush
	for _, m := range c.those(members) {
		random := c.seeded()
		c.talkers.Go(func() {
			for n := 0; ctx.Err() == nil && (most == 0 || n < most) && m.say(random); n++ {
			}
		})
	}
}

// chat has members, or everybody, say a few messages, and waits until they have all that there is.
func (c *crowd) chat(members ...*member) {
	c.Helper()
	const few = 150
	c.talk(few, members...)
	c.talkers.Wait()
	c.converge(members...)
}

// those returns the members that are meant: everybody, when none is named.
func (c *crowd) those(members []*member) []*member {
	if len(members) == 0 {
		return c.members
	}
	return members
}

// seeded returns a source of chance for one goroutine.
func (tr *trial) seeded() *mathrand.Rand { return mathrand.New(mathrand.NewPCG(tr.random.Uint64(), 0)) }

// enough ends talk, without waiting for those who are in the middle of a word.
func (c *crowd) enough() {
	if c.hush != nil {
		c.hush()
	}
}

// quiet ends talk and waits until nobody is in the middle of a word, which takes a node.
func (c *crowd) quiet() {
	c.enough()
	c.talkers.Wait()
	c.hush = nil
}

// say sends the next message; its text is like no other. It returns false when the client has ended.
func (m *member) say(random *mathrand.Rand) bool {
	m.said++
	text := fmt.Sprintf("%s %d ", m.name, m.said)
	if random.IntN(longTexts) == 0 {
		text += strings.Repeat("x", 1+random.IntN(chat.MaxText-len(text)))
	} else {
		text += strings.Repeat("y", 1+random.IntN(100))
	}
	for _, story := range slices.Concat(m.stories, m.hearsay) {
		story.Invoke(m.said, room, brief(text))
	}
	n, err := m.Send(m.crowd.ctx, client.Draft{Room: room, Kind: chat.Text, Text: text})
	switch {
	case errors.Is(err, client.ErrClosed), m.crowd.ctx.Err() != nil:
		return false
	case err != nil || n != m.said:
		m.crowd.Errorf("%s sends message %d as %d: %v", m.name, m.said, n, err)
		return false
	}
	return true
}

// brief is a text by its beginning and its hash, if it is long.
func brief(text string) string {
	const most = 48
	if len(text) <= most {
		return text
	}
	sum := fnv.New64a()
	sum.Write([]byte(text))
	return fmt.Sprintf("%s… %x", text[:most], sum.Sum64())
}

// await waits until done, which is called with mu held, says so.
func (c *crowd) await(what string, done func() bool) {
	c.Helper()
	c.awaitOr(nil, what, done)
}

// awaitOr is await that gives up, and returns false, when a process ends.
func (c *crowd) awaitOr(p *process, what string, done func() bool) bool {
	c.Helper()
	var ended <-chan struct{}
	if p != nil {
		ended = p.ended
	}
	timeout := time.After(c.Patience)
	for {
		c.mu.Lock()
		grown, ok := c.grown, done()
		c.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-grown:
		case <-ended:
			return false
		case <-timeout:
			c.Fatalf("%s: %v; %s", what, errLate, c.standing())
		}
	}
}

// standing tells where everybody is.
func (c *crowd) standing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, m := range c.members {
		all = append(all, fmt.Sprintf("%s has %d of %d answered and saw row %d, %d resets, %d gaps, %d links lost",
			m.name, m.answers, m.said, m.last.Seq, len(m.resets), len(m.gaps), m.downs))
	}
	return strings.Join(all, "; ")
}

// progress counts what a member has got from its node.
func (m *member) progress() uint64 {
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	return uint64(m.answers) + m.last.Seq
}

// converge waits until members, or everybody, are answered and have seen the last row of one log.
func (c *crowd) converge(members ...*member) {
	c.Helper()
	members = c.those(members)
	c.await("all to be answered and to have seen the last row", func() bool {
		head := uint64(0)
		for _, m := range members {
			if m.Pending() > 0 || uint64(m.answers) < m.said {
				return false
			}
			head = max(head, m.acked, m.last.Seq)
		}
		for _, m := range members {
			if m.epoch != members[0].epoch || m.last != members[0].last || m.last.Seq != head {
				return false
			}
		}
		return true
	})
	c.note("all have converged: %s", c.standing())
}

// settle ends talk and waits until all have converged for good, and tells the oracle so. All faults must be over, and the log is final.
func (c *crowd) settle() {
	c.Helper()
	c.quiet()
	for _, m := range c.members {
		m.proxy.Resume()
	}
	c.converge()
	for _, m := range c.members {
		for _, story := range m.stories {
			story.Settled(room)
		}
	}
}

// judge reads the log from the store, which no node has open, and asks the oracle.
func (c *crowd) judge() oracle.Log {
	c.Helper()
	return c.judgeBy(c.dir, c.history)
}

// judgeBy is judge for the store in dir, and a history that speaks of it.
func (tr *trial) judgeBy(dir string, history *oracle.History) oracle.Log {
	tr.Helper()
	log, err := readLog(dir)
	if err != nil {
		tr.Fatalf("the store, after everything: %v", err)
	}
	if err := history.Check(log); err != nil {
		tr.Errorf("the oracle says:\n%v", err)
	}
	tr.note("%d rows are kept", len(log.Rooms[room]))
	return log
}

// mostInVain is how often annoy breaks a member's connection while that member gets nowhere. Where the machine is slow, a handshake takes longer than
// connections would last, and nobody would ever say anything.
const mostInVain = 4

// annoy breaks connections, at random and in every way that a proxy knows, until the function that it returns is called.
func (c *crowd) annoy(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	random := c.seeded()
	var group sync.WaitGroup
	group.Go(func() {
		got, vain := map[*member]uint64{}, map[*member]int{}
		for ctx.Err() == nil {
			m, fault := c.members[random.IntN(len(c.members))], random.IntN(5)
			if now := m.progress(); now != got[m] {
				got[m], vain[m] = now, 0
			}
			if vain[m]++; vain[m] > mostInVain {
				fault = 4
			}
			proxy := m.proxy
			switch fault {
			case 0, 1:
				proxy.Reset()
			case 2:
				proxy.Hold(true, false)
			case 3:
				proxy.Hold(false, true)
			case 4:
				proxy.Resume()
			}
			pause(ctx, time.Duration(random.Int64N(int64(every))))
		}
	})
	return func() {
		cancel()
		group.Wait()
		for _, m := range c.members {
			m.proxy.Resume()
		}
	}
}

// pause waits, or until ctx ends: the moment of a fault is what is random about it.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
