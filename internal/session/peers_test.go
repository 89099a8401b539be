package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// mesh has the peers that a test gives it, and notes who was admitted.
type mesh struct {
	peers []wire.PeerInfo
	err   error

	mu    sync.Mutex // guards asked
	asked []string
}

func (m *mesh) Peers() []wire.PeerInfo { return m.peers }

func (m *mesh) Admit(who string, mode uint64) (wire.PeerInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, fmt.Sprint(who, " ", mode))
	return m.peers[0], m.err
}

// meshed returns a host with a mesh, and two of its guests: an admin and somebody else.
func meshed(t *testing.T) (m *mesh, boss, carol *guest) {
	t.Helper()
	h := newHost(t)
	node := identity.ID{1}
	m = &mesh{peers: []wire.PeerInfo{{Node: node[:], Title: "west", Address: "10.0.0.7:8080", State: "linked", Note: "10.0.0.8:1 does not answer", RTT: 700}}}
	h.Mesh = m
	var admin identity.ID
	h.Admin = func(id identity.ID) bool { return id == admin }
	boss = arriveAs(t, h, func(id identity.ID) Caller { admin = id; return Caller{} })
	boss.enter("boss")
	carol = arrive(t, h)
	carol.enter("carol")
	return m, boss, carol
}

// ask asks a question and wants it answered by an A.
func ask[A wire.Record](g *guest, question wire.Record) A {
	g.t.Helper()
	g.say(g.control, question)
	return expect[A](g, g.fromControl)
}

// TestPeersAreTold: everybody sees the links, and admins where they lead.
func TestPeersAreTold(t *testing.T) {
	m, boss, carol := meshed(t)
	if p := ask[*wire.PeersAre](boss, &wire.Peers{}).Peers; len(p) != 1 || p[0].Address != "10.0.0.7:8080" || p[0].Note == "" || p[0].RTT != 700 {
		t.Errorf("an admin is told %+v", p)
	}
	if p := ask[*wire.PeersAre](carol, &wire.Peers{}).Peers; len(p) != 1 || p[0].Title != "west" || p[0].Address != "" || p[0].Note != "" {
		t.Errorf("carol is told %+v", p)
	}
	m.peers = make([]wire.PeerInfo, 9000) // of nodes that say of themselves what they like
	for i := range m.peers {
		m.peers[i] = wire.PeerInfo{Node: make([]byte, 32), Title: strings.Repeat("\x1b", 9000), Note: strings.Repeat("€", 9000), Address: strings.Repeat("a", 9000)}
	}
	p := ask[*wire.PeersAre](boss, &wire.Peers{}).Peers
	if len(p) != wire.MaxPeers || len(p[0].Note) > wire.MaxNote || len(p[0].Title) > chat.MaxTitle || strings.Contains(p[0].Title, "\x1b") {
		t.Errorf("an admin is told of %d peers, the first %+v", len(p), p[0])
	}
	lone := arrive(t, newHost(t))
	if welcome := lone.enter("carol"); len(welcome.Space) != 16 {
		t.Errorf("the space is %x", welcome.Space)
	}
	for _, question := range []wire.Record{&wire.Peers{}, &wire.Admit{Node: "west"}} {
		if failed := ask[*wire.Failed](lone, question); failed.Code != chat.Unsupported {
			t.Errorf("%T without a mesh: %v, want unsupported", question, failed.Code)
		}
	}
}

// TestAdmit: only admins say what another node is.
func TestAdmit(t *testing.T) {
	m, boss, carol := meshed(t)
	for name, test := range map[string]struct {
		by   *guest
		q    wire.Admit
		err  error
		want chat.Code
	}{
		"not an admin":   {carol, wire.Admit{Node: "west", Mode: wire.AdmitIt}, nil, chat.Denied},
		"a mode unknown": {boss, wire.Admit{Node: "west", Mode: 3}, nil, chat.Unsupported},
		"nobody":         {boss, wire.Admit{Mode: wire.AdmitIt}, nil, chat.NoSuchUser},
		"a giant":        {boss, wire.Admit{Node: strings.Repeat("w", 60_000)}, nil, chat.NoSuchUser},
		"who is unknown": {boss, wire.Admit{Node: "east"}, &hub.Refusal{Code: chat.NoSuchUser}, chat.NoSuchUser},
		"a broken disk":  {boss, wire.Admit{Node: "north"}, errors.New("broken"), chat.Internal},
	} {
		m.mu.Lock()
		m.err = test.err
		m.mu.Unlock()
		if failed := ask[*wire.Failed](test.by, &test.q); failed.Code != test.want {
			t.Errorf("%s: %v, want %v", name, failed.Code, test.want)
		}
	}
	m.mu.Lock()
	m.err, m.asked = nil, nil
	m.mu.Unlock()
	if is := ask[*wire.AdmitIs](boss, &wire.Admit{Node: "west", Mode: wire.AdmitDrop}); is.Peer.Title != "west" {
		t.Errorf("the answer is %+v", is.Peer)
	}
	if got := fmt.Sprint(m.asked); got != fmt.Sprintf("[west %d]", wire.AdmitDrop) {
		t.Errorf("the mesh was asked %v", got)
	}
}

// TestLongMoves: a join that says what was seen elsewhere may be as long as that can be, and no longer.
func TestLongMoves(t *testing.T) {
	h := newHost(t)
	g := arrive(t, h)
	g.enter("carol")
	moved := &wire.Moved{Heads: make([]wire.Grown, wire.MaxMarkHeads), IDs: make([]chat.ID, wire.MaxMovedIDs), Pairs: slices.Repeat([]wire.As{{Origin: make([]byte, 16), CSeq: wire.MaxCount}}, wire.MaxMovedPairs)}
	for i := range moved.Heads {
		moved.Heads[i].Log[0], moved.Heads[i].Log[1], moved.Heads[i].Seq = byte(i), byte(i>>8), wire.MaxCount
	}
	for range chat.MaxInFlight {
		g.say(g.chat, &wire.Join{Room: "lobby", Moved: moved})
		if open := expect[*wire.Open](g, g.fromChat); open.Status == wire.StatusDenied {
			t.Fatalf("the room is opened by %+v", open)
		}
	}
	g.say(g.chat, &wire.Join{Room: "lobby", Moved: &wire.Moved{IDs: make([]chat.ID, wire.MaxMovedIDs+1)}})
	if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
		t.Errorf("the goodbye says %v, want malformed", bye.Code)
	}
	g.link.Close()
	<-g.ended
}
