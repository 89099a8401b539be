package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// modelEntry is a message as one node has signed it.
type modelEntry struct {
	log  byte // of which node
	seq  uint64
	text string
	pair string // origin's name and cseq, of one of the client's
}

// modelSite is a node of a space that has its own order of what all of them have.
type modelSite struct {
	site
	rows    []modelEntry
	have    map[byte]uint64       // of each log
	pairs   map[string]int        // index in rows
	origins map[string]*wire.Open // not used but by its Head: the last cseq
	sent    int                   // rows that the present link has had
}

// modelSpace is three nodes, of which one has the client.
type modelSpace struct {
	rnd   *rand.Rand
	sites []*modelSite
	logs  map[byte][]modelEntry
	made  int
	now   *modelSite
	link  *peer
	room  *wire.Open // as it was opened on the link; nil: it was not
}

func newModelSpace(seed uint64) *modelSpace {
	m := &modelSpace{rnd: rand.New(rand.NewPCG(seed, 3)), logs: map[byte][]modelEntry{}}
	for _, s := range []site{siteA, siteB, siteC} {
		m.sites = append(m.sites, &modelSite{site: s, have: map[byte]uint64{}, pairs: map[string]int{}, origins: map[string]*wire.Open{}})
	}
	return m
}

// write has a node sign a message and take it.
func (m *modelSpace) write(s *modelSite, text, pair string) modelEntry {
	e := modelEntry{log: s.id[0], seq: uint64(len(m.logs[s.id[0]]) + 1), text: text, pair: pair}
	m.logs[e.log] = append(m.logs[e.log], e)
	s.take(e)
	return e
}

func (s *modelSite) take(e modelEntry) {
	s.have[e.log] = e.seq
	if e.pair != "" {
		s.pairs[e.pair] = len(s.rows)
	}
	s.rows = append(s.rows, e)
}

// pull has a node take some entries that others have signed.
func (m *modelSpace) pull(s *modelSite, n int) {
	for ; n > 0; n-- {
		for _, i := range m.rnd.Perm(len(m.sites)) {
			log := m.sites[i].id[0]
			if at := s.have[log]; at < uint64(len(m.logs[log])) {
				s.take(m.logs[log][at])
				break
			}
		}
	}
}

// event is a row as the node tells it.
func (s *modelSite) event(i int) *wire.Event {
	e := s.rows[i]
	return &wire.Event{Room: 1, Seq: uint64(i + 1), From: 9, Name: "dave", Kind: chat.Text, Body: []byte(e.text), ID: textID(e.text)}
}

func (s *modelSite) hash(n int) (h chat.Hash) {
	for _, e := range s.rows[:n] {
		h = h.Next(textID(e.text))
	}
	return h
}

// join answers a join as docs/protocol.md says.
func (m *modelSpace) join(t *testing.T, j *wire.Join) {
	s, open := m.now, &wire.Open{Room: 1, Name: "lobby", Head: uint64(len(m.now.rows)), Low: 1, From: 1}
	switch {
	case j.Moved != nil:
		open.Status = wire.StatusMoved
		var from, to uint64
		open.From = uint64(len(s.rows) + 1)
		for i, e := range s.rows {
			covered := slices.ContainsFunc(j.Moved.Heads, func(g wire.Grown) bool { return g.Log[0] == e.log && g.Seq >= e.seq })
			seen := covered || slices.Contains(j.Moved.IDs, textID(e.text))
			row := uint64(i + 1)
			switch {
			case !seen && open.From > row:
				open.From = row
			case !seen || open.From > row:
			case to+1 == row && to > 0:
				to = row
				open.Seen[len(open.Seen)-1][1] = row
			default:
				from, to = row, row
				open.Seen = append(open.Seen, [2]uint64{from, to})
			}
		}
	case j.Cursor != nil:
		if j.Cursor.Epoch != s.epoch || j.Cursor.Hash != s.hash(int(j.Cursor.Seq)) {
			t.Errorf("the cursor is %+v", j.Cursor)
		}
		open.From = j.Cursor.Seq + 1
	}
	open.Hash = s.hash(int(open.From - 1))
	s.sent = int(open.From - 1)
	m.room = open
	m.link.say(open)
}

// publish answers one, on the origin of the link's hello.
func (m *modelSpace) publish(p *wire.Pub, o *wire.Open, origin []byte) {
	if p.CSeq > o.Head+1 {
		return // it comes again with the next link
	}
	o.Head = max(o.Head, p.CSeq)
	pair := fmt.Sprintf("%x %d", originName(origin), p.CSeq)
	if p.Opts.As != nil {
		pair = fmt.Sprintf("%x %d", p.Opts.As.Origin, p.Opts.As.CSeq)
		for _, known := m.now.pairs[pair]; !known && m.anybodyHas(pair); _, known = m.now.pairs[pair] {
			m.pull(m.now, 1) // otherwise there are two messages, with two ids
		}
	}
	if _, known := m.now.pairs[pair]; !known {
		m.write(m.now, string(p.Body), pair)
	}
	i := m.now.pairs[pair]
	m.link.say(&wire.Ack{CSeq: p.CSeq, Seq: uint64(i + 1), ID: textID(m.now.rows[i].text), Time: 1})
}

func (m *modelSpace) anybodyHas(pair string) bool {
	return slices.ContainsFunc(m.sites, func(s *modelSite) bool { _, has := s.pairs[pair]; return has })
}

// deliver tells what the link has not had, and now and then what it is for other nodes.
func (m *modelSpace) deliver(n int) {
	for s := m.now; m.room != nil && n > 0 && s.sent < len(s.rows); n-- {
		m.link.say(s.event(s.sent))
		s.sent++
		if m.rnd.IntN(8) == 0 {
			m.mark()
		}
	}
}

func (m *modelSpace) mark() {
	heads := map[byte]uint64{}
	for _, e := range m.now.rows[:m.now.sent] {
		heads[e.log] = e.seq
	}
	mark := &wire.Mark{Room: 1, Seq: uint64(m.now.sent)}
	for log, seq := range heads {
		mark.Heads = append(mark.Heads, wire.Grown{Log: wire.LogID{log}, Seq: seq})
	}
	m.link.say(mark)
}

// TestRandomMoves drives a client over nodes that have the same messages in other orders, and not at the same time, through lost links and new processes: each
// message is shown exactly once, and each of the client's own is kept exactly once, in order.
func TestRandomMoves(t *testing.T) {
	seed, runs := *seedFlag, 20
	if seed != 0 {
		runs = 1
	} else {
		seed = rand.Uint64()
	}
	for i := range runs {
		t.Run(fmt.Sprint("seed=", seed+uint64(i)), func(t *testing.T) { randomMoves(t, seed+uint64(i)) })
	}
}

func randomMoves(t *testing.T, seed uint64) {
	m, dir, shown, mine := newModelSpace(seed), t.TempDir(), map[string]int{}, []string(nil)
	for life := 0; life < 4; life++ {
		synctest.Test(t, func(t *testing.T) {
			s, with := withState(t, dir, "lobby")
			defer s.Close()
			r := start(t, func(c *Config) {
				with(c)
				c.Tail, c.Rand = chat.MaxTail, rand.NewChaCha8([32]byte{byte(seed), byte(life)})
			})
			took := make(chan struct{})
			go func() {
				defer close(took)
				for e := range r.Events() {
					switch e := e.(type) {
					case Message:
						shown[e.Text]++
					case Reset, Gap, Denied, Refused:
						t.Errorf("got %#v", e)
					}
					r.Shown(e)
				}
			}()
			for range 6 {
				m.visit(t, r, &mine)
			}
			if life == 3 {
				m.settle(t, r)
			}
			elapse(time.Second)
			r.end()
			<-took
		})
		if t.Failed() {
			return
		}
	}
	for _, list := range m.logs {
		for _, e := range list {
			if shown[e.text] != 1 {
				t.Errorf("%q is shown %d times", e.text, shown[e.text])
			}
			delete(shown, e.text)
		}
	}
	if len(shown) > 0 {
		t.Errorf("shown, and nowhere kept: %v", shown)
	}
	var kept []string
	for _, e := range m.sites[0].rows {
		if e.pair != "" {
			kept = append(kept, e.text)
		}
	}
	slices.Sort(kept)
	slices.Sort(mine)
	if !slices.Equal(kept, mine) {
		t.Errorf("kept %v\nsent %v", kept, mine)
	}
}

// visit has the client linked to some node, for a while in which things happen.
func (m *modelSpace) visit(t *testing.T, r *rig, mine *[]string) {
	s := m.sites[m.rnd.IntN(len(m.sites))]
	m.greet(t, r, s)
	for range 1 + m.rnd.IntN(30) {
		switch m.rnd.IntN(5) {
		case 0:
			m.made++
			m.write(m.sites[m.rnd.IntN(len(m.sites))], fmt.Sprint("message ", m.made), "")
		case 1:
			m.pull(m.sites[m.rnd.IntN(len(m.sites))], m.rnd.IntN(6))
		case 2:
			text := fmt.Sprint("mine ", len(*mine))
			*mine = append(*mine, text)
			r.send("lobby", text)
		default:
			m.deliver(m.rnd.IntN(6))
			elapse(0)
		}
	}
	m.link.cut(func() int { return m.rnd.IntN(100) })
	elapse(0)
}

// greet links the client to a node, and has its records answered from then on, in the goroutine of a test that only waits.
func (m *modelSpace) greet(t *testing.T, r *rig, s *modelSite) {
	for {
		p := <-r.links
		p.node = s.id
		p.tell(&wire.Challenge{Version: wire.Version, Nonce: make([]byte, nonceLen)})
		h := onControl[*wire.Hello](p)
		o := s.origins[string(h.Origin)]
		if o == nil {
			o = new(wire.Open)
			s.origins[string(h.Origin)] = o
		}
		m.now, m.link, m.room = s, p, nil
		w := &wire.Welcome{Version: wire.Version, Name: h.Name}
		s.welcome(w)
		w.LastCSeq = o.Head
		p.tell(w)
		elapse(0)
		select {
		case <-p.done: // it comes again, under another origin
			continue
		default:
		}
		m.answer(t, o, h.Origin)
		return
	}
}

// answer takes what the client has written until now.
func (m *modelSpace) answer(t *testing.T, o *wire.Open, origin []byte) {
	elapse(0)
	for {
		m.link.chatUp.mu.Lock()
		empty := len(m.link.chatUp.buf) == 0 && !m.link.chat.Buffered()
		m.link.chatUp.mu.Unlock()
		if empty {
			return
		}
		item, err := m.link.chat.Next()
		if err != nil {
			t.Fatal(err)
		}
		record, err := wire.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		switch r := record.(type) {
		case *wire.Join:
			m.join(t, r)
		case *wire.Pub:
			m.publish(r, o, origin)
		}
		elapse(0)
	}
}

// settle has every node get everything, and the client be told it.
func (m *modelSpace) settle(t *testing.T, r *rig) {
	for range 2 { // what is sent in the first round is everywhere in the second
		for _, s := range m.sites {
			m.greet(t, r, s)
			m.pull(s, 1<<10)
			m.deliver(1 << 20)
			elapse(time.Second)
			m.link.cut(func() int { return 0 })
			elapse(0)
		}
	}
	if n := r.Pending(); n > 0 {
		t.Errorf("%d are pending", n)
	}
}
