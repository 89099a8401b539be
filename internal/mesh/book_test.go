package mesh

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// book is a hub that keeps entries in memory, and judges them by the rules that concern their order and their authors.
type book struct {
	key *identity.Key

	mu      sync.Mutex
	sharing store.Sharing
	logs    map[wire.LogID]*page
	order   []wire.EntryID // as they were taken
	private map[string]bool
	grown   map[wire.LogID]bool
	wake    func()
	peers   map[identity.ID]store.Peer
	forks   []*wire.Fork
	tokens  map[string]bool
	people  wire.NodePeople
	abroad  []wire.NodePeople
	nodes   []wire.NodeAt
	renewed int
	full    bool
	offers  int
	lies    []string // why what was offered was refused
	held    []string // the rooms that logs were taken up of above their beginning, and are private where they came from
}

// page is one log.
type page struct {
	log     wire.Log
	low     uint64
	list    []wire.Signed
	ids     []wire.EntryID
	lamport uint64
	fork    uint64
}

func (p *page) head() uint64 {
	head := p.low - 1 + uint64(len(p.list))
	if p.fork > 0 {
		return min(head, p.fork-1)
	}
	return head
}

func (p *page) id(seq uint64) wire.EntryID {
	if seq < p.low || seq > p.low-1+uint64(len(p.ids)) {
		return wire.EntryID{}
	}
	return p.ids[seq-p.low]
}

func keyOf(n uint64) *identity.Key {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("node"), n))
	key, err := identity.NewKey(bytes.NewReader(seed[:]))
	if err != nil {
		panic(err)
	}
	return key
}

func newBook(n uint64, space byte) *book {
	return &book{
		key: keyOf(n), sharing: store.Sharing{Space: [16]byte{space}, Nonce: n}, logs: map[wire.LogID]*page{}, private: map[string]bool{},
		grown: map[wire.LogID]bool{}, wake: func() {}, peers: map[identity.ID]store.Peer{}, tokens: map[string]bool{},
	}
}

// say adds an entry of this node's own.
func (b *book) say(room, text string) wire.LogID {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := wire.Log{Node: b.key.Public(), Nonce: b.sharing.Nonce, Room: room}
	id := log.ID()
	p := b.logs[id]
	if p == nil {
		p = &page{log: log, low: 1}
		b.logs[id] = p
	}
	e := b.entry(p, text)
	for other, q := range b.logs {
		if other != id && q.log.Room == room && q.head() >= q.low {
			last := q.id(q.head())
			e.Deps = append(e.Deps, wire.Dep{Log: other, Seq: q.head(), ID: bytes.Clone(last[:16])})
			e.Lamport = max(e.Lamport, q.lamport+1)
		}
	}
	slices.SortFunc(e.Deps, func(a, b wire.Dep) int { return bytes.Compare(a.Log[:], b.Log[:]) })
	e.Deps = e.Deps[:min(len(e.Deps), wire.MaxDeps)]
	b.add(p, e, b.sign(id, e, text))
	b.wake()
	return id
}

// entry returns what comes behind the last of a log, without deps.
func (b *book) entry(p *page, text string) *wire.Entry {
	sum := sha256.Sum256([]byte(text))
	e := &wire.Entry{
		Seq: p.head() + 1, Lamport: p.lamport + 1, Epoch: 1, Num: 1, Row: p.head() + 1, From: 1, CSeq: p.head() + 1, Name: "carol", Kind: chat.Text,
		Author: make([]byte, 32), Origin: make([]byte, 16), Sum: sum[:],
	}
	if last := p.id(p.head()); p.head() > 0 {
		e.Prev = bytes.Clone(last[:])
	}
	return e
}

func (b *book) sign(log wire.LogID, e *wire.Entry, text string) wire.Signed {
	encoded := e.Encode()
	id := wire.EntryIDOf(log, encoded)
	return wire.Signed{Entry: encoded, Sig: b.key.Sign(wire.EntryDomain, id[:]), Salt: make([]byte, 16), Body: []byte(text)}
}

func (b *book) add(p *page, e *wire.Entry, s wire.Signed) {
	id := p.log.ID()
	p.list, p.ids, p.lamport = append(p.list, s), append(p.ids, wire.EntryIDOf(id, s.Entry)), e.Lamport
	b.order = append(b.order, wire.EntryIDOf(id, s.Entry))
	b.grown[id] = true
}

// trim takes what stands below low.
func (b *book) trim(id wire.LogID, low uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.logs[id]
	p.list, p.ids, p.low = p.list[low-p.low:], p.ids[low-p.low:], low
}

func (b *book) Share() error { return nil }
func (b *book) Sharing() store.Sharing {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sharing
}
func (b *book) Kept() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order) > 0
}
func (b *book) Adopt(space [16]byte) error {
	if b.Kept() {
		return hub.ErrKept
	}
	return b.JoinSpace(space)
}
func (b *book) JoinSpace(space [16]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sharing.Space = space
	return nil
}
func (b *book) RenewLogs() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renewed++
	b.sharing.Nonce += 1000
	return nil
}

func (b *book) readable(p *page, admitted bool) bool { return admitted || !b.private[p.log.Room] }

func (b *book) Digests(admitted bool) (list []wire.RoomDigest) {
	rooms := map[string]bool{}
	b.mu.Lock()
	for _, p := range b.logs {
		if b.readable(p, admitted) {
			rooms[p.log.Room] = true
		}
	}
	b.mu.Unlock()
	for room := range rooms {
		list = append(list, wire.RoomDigest{Room: room, Digest: wire.Digest(b.Heads(room, admitted))})
	}
	slices.SortFunc(list, func(a, b wire.RoomDigest) int { return bytes.Compare([]byte(a.Room), []byte(b.Room)) })
	return list
}

func (b *book) Heads(room string, admitted bool) (list []wire.Head) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.logs {
		if p.log.Room == room && b.readable(p, admitted) {
			head := p.wire()
			head.Private = b.private[room]
			list = append(list, head)
		}
	}
	slices.SortFunc(list, func(a, b wire.Head) int { x, y := a.Log.ID(), b.Log.ID(); return bytes.Compare(x[:], y[:]) })
	return list
}

func (p *page) wire() wire.Head {
	id := p.id(p.head())
	h := wire.Head{Log: p.log, Low: p.low, Seq: p.head(), ID: bytes.Clone(id[:16])}
	h.Low = min(h.Low, h.Seq+1)
	return h
}

func (b *book) HeadOf(log wire.LogID, admitted bool) (wire.Head, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.logs[log]
	if p == nil || !b.readable(p, admitted) {
		return wire.Head{}, false
	}
	head := p.wire()
	head.Private = b.private[p.log.Room]
	return head, true
}

func (b *book) Entries(log wire.LogID, from, to uint64, size int, admitted bool) (list []wire.Signed, low uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.logs[log]
	if p == nil || !b.readable(p, admitted) {
		return nil, 0, nil
	}
	for seq := from; seq >= p.low && seq <= min(to, p.head()) && (size > 0 || len(list) == 0); seq++ {
		s := p.list[seq-p.low]
		size -= sizeOf(&s)
		list = append(list, s)
	}
	return list, p.low, nil
}

func (b *book) OfferAll(from hub.Source, runs []hub.Run) (all []hub.Offered, err error) {
	time.Sleep(time.Millisecond) // a commit
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.wake()
	b.offers++
	for _, r := range runs {
		from.Low = r.Low
		if r.Low > 0 && r.Private {
			b.held = append(b.held, r.Log.Room)
		}
		all = append(all, b.offer(from, r.Log, r.First, r.List))
	}
	return all, nil
}

func (b *book) offer(from hub.Source, log wire.Log, first uint64, list []wire.Signed) (o hub.Offered) {
	if b.full {
		o.Later = true
	}
	if b.private[log.Room] && !from.Admitted {
		o.Refused = true
	}
	id := log.ID()
	p := b.logs[id]
	if p == nil {
		p = &page{log: log, low: 1}
		if !o.Later && !o.Refused {
			b.logs[id] = p
		}
	}
	defer func() { o.Head = p.head() }()
	if o.Later || o.Refused {
		return o
	}
	if from.Low > p.head()+1 && first == from.Low && len(p.list) == 0 {
		p.low = first
	}
	for i := range list {
		seq := first + uint64(i)
		known, missing, fault := b.judge(p, id, seq, &list[i], from.Low)
		switch {
		case known:
			o.Known++
		case fault == "fork":
			o.Fork = b.prove(p, seq, &list[i])
			return o
		case fault != "":
			b.lies = append(b.lies, fault)
			o.Fault = fault
			return o
		case len(missing) > 0:
			o.Missing = missing
			return o
		case p.fork > 0 && seq >= p.fork:
			o.Refused = true
			return o
		default:
			e, _ := wire.DecodeEntry(list[i].Entry)
			b.add(p, e, list[i])
		}
	}
	return o
}

// judge decides about one entry.
func (b *book) judge(p *page, id wire.LogID, seq uint64, s *wire.Signed, low uint64) (known bool, missing []wire.Dep, fault string) {
	entry := wire.EntryIDOf(id, s.Entry)
	if seq < p.low {
		return true, nil, ""
	}
	if !identity.CheckSignature(p.log.Node, wire.EntryDomain, entry[:], s.Sig) {
		return false, nil, "signature"
	}
	e, err := wire.DecodeEntry(s.Entry)
	if err != nil || e.Check() != nil || e.Seq != seq {
		return false, nil, "malformed"
	}
	if have := p.id(seq); have != (wire.EntryID{}) {
		if have != entry {
			return false, nil, "fork"
		}
		return true, nil, ""
	}
	last := p.id(p.head())
	if seq != p.head()+1 {
		return false, []wire.Dep{{Log: id, Seq: seq - 1, ID: make([]byte, 16)}}, ""
	}
	if seq > 1 && seq != low && !bytes.Equal(e.Prev, last[:]) {
		return false, nil, "prev"
	}
	lamport := p.lamport
	for _, d := range e.Deps {
		q := b.logs[d.Log]
		if seq == low {
			continue
		}
		if q == nil || q.head() < d.Seq && q.fork == 0 {
			missing = append(missing, d)
			continue
		}
		if d.Seq >= q.low && q.fork == 0 {
			if have := q.id(d.Seq); !bytes.Equal(have[:16], d.ID) {
				return false, nil, "dep"
			}
		}
	}
	if len(missing) > 0 {
		return false, missing, ""
	}
	if e.Lamport <= lamport && seq != low {
		return false, nil, "lamport"
	}
	if sum := sha256.Sum256(s.Body); !bytes.Equal(sum[:], e.Sum) {
		return false, nil, "text"
	}
	return false, nil, ""
}

// prove makes a proof of two entries at one place.
func (b *book) prove(p *page, seq uint64, s *wire.Signed) *wire.Fork {
	one, two := p.list[seq-p.low], *s
	id := p.log.ID()
	x, y := wire.EntryIDOf(id, one.Entry), wire.EntryIDOf(id, two.Entry)
	if bytes.Compare(x[:], y[:]) > 0 {
		one, two = two, one
	}
	one.Salt, one.Body, two.Salt, two.Body = nil, nil, nil, nil
	f := &wire.Fork{Log: p.log, A: one, B: two}
	b.forkAt(f, seq)
	return f
}

func (b *book) forkAt(f *wire.Fork, seq uint64) bool {
	id := f.Log.ID()
	p := b.logs[id]
	if p == nil {
		return false // as a hub of a room that it does not have
	}
	if p.fork > 0 && p.fork <= seq {
		return false
	}
	p.fork = seq
	b.forks = append(b.forks, f)
	b.grown[id] = true
	return true
}

func (b *book) Prove(f *wire.Fork) (bool, error) {
	a, _, err := f.Entries()
	if err != nil {
		return false, err
	}
	for _, s := range []wire.Signed{f.A, f.B} {
		id := wire.EntryIDOf(f.Log.ID(), s.Entry)
		if !identity.CheckSignature(f.Log.Node, wire.EntryDomain, id[:], s.Sig) {
			return false, fmt.Errorf("not signed")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.wake()
	return b.forkAt(f, a.Seq), nil
}

func (b *book) Forks() []*wire.Fork {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.forks)
}
func (b *book) Grown(wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake = wake
}
func (b *book) TakeGrown() (list []wire.LogID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.grown {
		list = append(list, id)
	}
	clear(b.grown)
	slices.SortFunc(list, func(a, b wire.LogID) int { return bytes.Compare(a[:], b[:]) })
	return list
}
func (b *book) People(admitted bool) wire.NodePeople {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.people
}
func (b *book) SetAbroad(nodes []wire.NodePeople) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abroad = nodes
}
func (b *book) others() []wire.NodePeople {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.abroad)
}
func (b *book) SavePeer(p store.Peer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[p.Node] = p
	return nil
}
func (b *book) SavedPeers() (list []store.Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.peers {
		list = append(list, p)
	}
	return list
}
func (b *book) NodeInvite(token []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := b.tokens[string(token)]
	delete(b.tokens, string(token))
	return ok
}
func (b *book) TellNodes(nodes []wire.NodeAt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = nodes
}

// digest returns what stands for all that the book has.
func (b *book) digest() string {
	var all []byte
	for _, d := range b.Digests(true) {
		all = append(all, d.Room...)
		all = append(all, d.Digest[:]...)
	}
	return string(all)
}

// check fails the test unless every entry was taken once, in the order of its log, and behind what it depends on.
func (b *book) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	at := map[wire.EntryID]int{}
	for i, id := range b.order {
		if _, twice := at[id]; twice {
			t.Fatalf("an entry was taken twice")
		}
		at[id] = i
	}
	for _, p := range b.logs {
		for i := 1; i < len(p.ids); i++ {
			if at[p.ids[i]] < at[p.ids[i-1]] {
				t.Fatalf("entry %d of a log was taken before the one in front of it", i+1)
			}
		}
	}
}
