package client

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random runs; 0 takes new ones")

// model is a node reduced to what a client can see of it: logs, origins, and links that break at random bytes. All it does happens
// under mu; its readers, one for each stream of a link, are ended by the link.
type model struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	logs    map[string]*modelLog
	origins map[string]*modelOrigin
	link    *peer
	origin  *modelOrigin
	subs    map[string]uint64 // rooms of the link, next seq to send
	faults  bool
	nacked  bool
	epoch   uint64
	kept    []string // texts in the order in which they were kept, without the other author's
	refused map[string]bool
	readers sync.WaitGroup
}

type modelLog struct {
	number uint64
	rows   []*wire.Event
}

type modelOrigin struct {
	last     uint64
	outcomes []wire.Outcome
}

// serve takes links until the client stops dialling.
func (m *model) serve(t *testing.T, r *rig, stop <-chan struct{}) {
	for {
		select {
		case p := <-r.links:
			m.readers.Go(func() { m.control(p) })
		case <-stop:
			return
		}
	}
}

func (m *model) control(p *peer) {
	put(p.controlDown, []wire.Record{&wire.Challenge{Version: wire.Version, Nonce: make([]byte, nonceLen)}})
	item, err := p.control.Next()
	if err != nil {
		return
	}
	record, _ := wire.Decode(item)
	h := record.(*wire.Hello)
	m.mu.Lock()
	if m.origins[string(h.Origin)] == nil {
		m.origins[string(h.Origin)] = &modelOrigin{}
	}
	o := m.origins[string(h.Origin)]
	m.link, m.origin, m.subs, m.nacked = p, o, map[string]uint64{}, false
	w := &wire.Welcome{Version: wire.Version, Node: nodeID[:], Name: h.Name, From: 5, Epoch: m.epoch, LastCSeq: o.last}
	for _, out := range o.outcomes {
		if out.CSeq >= h.FirstUnacked {
			w.Outcomes = append(w.Outcomes, out)
		}
	}
	p.tell(w)
	m.readers.Go(func() { m.chat(p) })
	m.mu.Unlock()
	if _, err := p.control.Next(); err == nil { // the goodbye
		m.mu.Lock()
		if m.link == p {
			delete(m.origins, string(h.Origin))
		}
		m.mu.Unlock()
		p.Close()
	}
}

func (m *model) chat(p *peer) {
	for {
		item, err := p.chat.Next()
		if err != nil {
			return
		}
		record, _ := wire.Decode(item)
		m.mu.Lock()
		if m.link == p {
			m.take(record)
			m.deliver()
		}
		m.mu.Unlock()
	}
}

// take handles one record of the client's.
func (m *model) take(record wire.Record) {
	switch r := record.(type) {
	case *wire.Join:
		log := m.log(r.Room)
		from := uint64(1)
		if r.Cursor != nil {
			from = r.Cursor.Seq + 1
		}
		open := &wire.Open{Room: log.number, Name: r.Room, From: from, Head: uint64(len(log.rows)), Low: 1}
		for _, e := range log.rows[:from-1] {
			open.Hash = open.Hash.Next(e.ID)
		}
		m.subs[r.Room] = from
		m.link.say(open)
	case *wire.Pub:
		m.pub(r)
	}
}

func (m *model) pub(r *wire.Pub) {
	o := m.origin
	switch {
	case r.CSeq <= o.last:
		for _, out := range o.outcomes {
			if out.CSeq == r.CSeq {
				m.answer(out)
			}
		}
	case r.CSeq > o.last+1:
		if !m.nacked {
			m.nacked = true
			m.link.say(&wire.Nack{Expected: o.last + 1, Code: chat.Hole})
		}
	case m.faults && m.rnd.IntN(20) == 0:
		m.nacked = true
		m.link.say(&wire.Nack{Expected: r.CSeq, Code: chat.NoSpace, RetryAfterMS: uint64(m.rnd.IntN(2000))})
	default:
		m.nacked = false
		out := wire.Outcome{CSeq: r.CSeq, Time: 1}
		if m.rnd.IntN(10) == 0 {
			out.Code = chat.Denied
			m.refused[string(r.Body)] = true
		} else {
			e := m.append(r.Room, 5, string(r.Body))
			out.Seq, out.ID = e.Seq, e.ID
			m.kept = append(m.kept, string(r.Body))
		}
		o.last = r.CSeq
		o.outcomes = append(o.outcomes, out)
		o.outcomes = o.outcomes[max(0, len(o.outcomes)-chat.MaxInFlight):]
		m.answer(out)
	}
}

func (m *model) answer(o wire.Outcome) {
	if o.Code != chat.OK {
		m.link.say(&wire.Refused{CSeq: o.CSeq, Code: o.Code})
		return
	}
	m.link.say(&wire.Ack{CSeq: o.CSeq, Seq: o.Seq, ID: o.ID, Time: o.Time})
}

func (m *model) log(name string) *modelLog {
	if m.logs[name] == nil {
		m.logs[name] = &modelLog{number: uint64(len(m.logs) + 1)}
	}
	return m.logs[name]
}

func (m *model) append(name string, from uint64, text string) *wire.Event {
	log := m.log(name)
	seq := uint64(len(log.rows) + 1)
	e := &wire.Event{Room: log.number, Seq: seq, From: from, Kind: chat.Text, Body: []byte(text), ID: idOf(log.number, seq, text)}
	log.rows = append(log.rows, e)
	return e
}

// deliver sends what the link has not had, now and then something twice or with a hole, and now and then breaks it.
func (m *model) deliver() {
	if m.link == nil {
		return
	}
	for _, name := range slices.Sorted(mapKeys(m.subs)) {
		rows := m.logs[name].rows
		for next := m.subs[name]; next <= uint64(len(rows)); next++ {
			if m.faults && m.rnd.IntN(200) == 0 {
				continue // a hole
			}
			m.link.say(rows[next-1])
			if m.faults && m.rnd.IntN(50) == 0 {
				m.link.say(rows[m.rnd.IntN(int(next))])
			}
		}
		m.subs[name] = uint64(len(rows)) + 1
	}
	if m.faults && m.rnd.IntN(25) == 0 {
		m.link.cut(func() int { return m.rnd.IntN(200) })
		m.link = nil
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestRandomRuns drives a client and a node that breaks links at random bytes, nacks, repeats and leaves holes. Each message must be
// kept once and in its author's order, each outcome be told as it was, and each room be shown whole.
func TestRandomRuns(t *testing.T) {
	seed := *seedFlag
	runs := 20
	if seed != 0 {
		runs = 1
	} else {
		seed = rand.Uint64()
	}
	for i := range runs {
		t.Run(fmt.Sprint("seed=", seed+uint64(i)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomRun(t, seed+uint64(i)) })
		})
	}
}

func randomRun(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1)) // the user's choices
	m := &model{
		rnd: rand.New(rand.NewPCG(seed, 2)), logs: map[string]*modelLog{}, origins: map[string]*modelOrigin{}, refused: map[string]bool{}, faults: true,
	}
	m.epoch = testEpoch
	r := start(t, func(c *Config) { c.Rooms, c.MaxPending, c.Backoff = []string{"red", "blue"}, 30, nil })
	stop := make(chan struct{})
	go m.serve(t, r, stop)
	seen := make(chan *record)
	go func() { seen <- watch(t, r) }()

	const messages = 300
	var sent []string
	for n := range messages {
		text := fmt.Sprint(n, " ", randomText(rnd))
		sent = append(sent, text)
		r.send([]string{"red", "blue"}[rnd.IntN(2)], text)
		if rnd.IntN(5) == 0 {
			m.mu.Lock()
			m.append("red", 9, fmt.Sprint("other ", n))
			m.deliver()
			m.mu.Unlock()
		}
		if rnd.IntN(30) == 0 {
			elapse(time.Duration(rnd.IntN(1000)) * time.Millisecond)
		}
	}
	for r.Pending() > 0 {
		elapse(time.Second)
	}
	m.mu.Lock()
	m.faults = false
	for _, room := range []string{"red", "blue"} {
		m.append(room, 9, "the end") // nobody can see that the last row is missing before there is another
	}
	m.deliver()
	m.mu.Unlock()
	for deadline := time.Now().Add(time.Hour); r.Pending() > 0 || !m.shown(r); elapse(time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("not settled: %d pending; %s", r.Pending(), m.state(r))
		}
	}
	if err := r.Quit(t.Context()); err != nil {
		t.Errorf("Quit: %v", err)
	}
	<-r.ran
	close(stop)
	m.readers.Wait()
	m.check(t, sent, <-seen)
}

// state says how far the client is.
func (m *model) state(r *rig) (out string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, log := range m.logs {
		s, open := r.Room(name)
		out += fmt.Sprintf(" %s: open %v, at %d of %d, sent up to %d", name, open, s.Cursor.Seq, len(log.rows), m.subs[name]-1)
	}
	return out
}

// shown reports whether the client's cursors are at the ends of the logs.
func (m *model) shown(r *rig) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, log := range m.logs {
		if s, ok := r.Room(name); !ok || s.Cursor.Seq != uint64(len(log.rows)) {
			return false
		}
	}
	return true
}

// record is what a consumer of events saw.
type record struct {
	shown   map[string][]string
	acked   []string
	refused []string
	downs   int
}

// watch takes events until the end.
func watch(t *testing.T, r *rig) *record {
	rec := &record{shown: map[string][]string{}}
	answered := uint64(0)
	for e := range r.Events() {
		switch e := e.(type) {
		case Message:
			rec.shown[e.Room] = append(rec.shown[e.Room], e.Text)
		case Ack:
			rec.acked = append(rec.acked, e.Text)
			answered = inOrder(t, answered, e.N)
		case Refused:
			rec.refused = append(rec.refused, e.Text)
			answered = inOrder(t, answered, e.N)
		case LinkDown:
			rec.downs++
		case Gap, Reset, Denied, ClosedRoom:
			t.Errorf("got %#v", e)
		}
	}
	return rec
}

func inOrder(t *testing.T, last, n uint64) uint64 {
	if n != last+1 {
		t.Errorf("message %d is answered behind %d", n, last)
	}
	return n
}

func (m *model) check(t *testing.T, sent []string, rec *record) {
	var kept, refused []string
	for _, text := range sent {
		if m.refused[text] {
			refused = append(refused, text)
		} else {
			kept = append(kept, text)
		}
	}
	if !slices.Equal(m.kept, kept) {
		t.Errorf("the node kept %d messages, want the %d that it did not refuse, in order", len(m.kept), len(kept))
	}
	if !slices.Equal(rec.acked, kept) || !slices.Equal(rec.refused, refused) {
		t.Errorf("told: %d kept and %d refused; true: %d and %d", len(rec.acked), len(rec.refused), len(kept), len(refused))
	}
	for name, log := range m.logs {
		var rows []string
		for _, e := range log.rows {
			rows = append(rows, string(e.Body))
		}
		if !slices.Equal(rec.shown[name], rows) {
			t.Errorf("%s: %d messages shown, %d in the log", name, len(rec.shown[name]), len(rows))
		}
	}
	t.Logf("%d links lost, %d kept, %d refused", rec.downs, len(kept), len(refused))
}
