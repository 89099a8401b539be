package mesh

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Who is let in, and as what.
func TestJudge(t *testing.T) {
	token := bytes.Repeat([]byte{5}, wire.TokenLen)
	other := append([]byte{8}, make([]byte, 15)...)
	for name, c := range map[string]struct {
		change   func(n *node, p *wire.Peer)
		closed   bool // the node is InviteOnly
		code     chat.Code
		admitted bool
		space    byte // of the node afterwards, 7 if it stays
	}{
		"same space":            {code: chat.OK},
		"admitted":              {change: func(n *node, p *wire.Peer) { n.know(p, wire.AdmitIt) }, admitted: true},
		"dropped":               {change: func(n *node, p *wire.Peer) { n.know(p, wire.AdmitDrop) }, code: chat.Denied},
		"another version":       {change: func(n *node, p *wire.Peer) { p.Version = 9 }, code: chat.BadVersion},
		"another's key":         {change: func(n *node, p *wire.Peer) { p.Key = keyOf(50).Public() }, code: chat.BadProof},
		"this node's key":       {change: func(n *node, p *wire.Peer) { p.Key = n.key.Public() }, code: chat.BadProof},
		"addresses of another":  {change: func(n *node, p *wire.Peer) { p.Record = recordOf(50, 1) }, code: chat.Malformed},
		"two histories":         {change: func(n *node, p *wire.Peer) { n.say("lobby", "x"); p.Space, p.Kept = other, true }, code: chat.OtherSpace},
		"it is empty":           {change: func(n *node, p *wire.Peer) { n.say("lobby", "x"); p.Space = other }},
		"we are empty":          {change: func(n *node, p *wire.Peer) { p.Space, p.Kept = other, true }, space: 8},
		"both empty, ours less": {change: func(n *node, p *wire.Peer) { p.Space = other }},
		"both empty, its less":  {change: func(n *node, p *wire.Peer) { p.Space = append([]byte{3}, make([]byte, 15)...) }, space: 3},
		"invited":               {change: func(n *node, p *wire.Peer) { n.tokens[string(token)] = true; p.Token = token }, admitted: true},
		"invited, two histories": {change: func(n *node, p *wire.Peer) {
			n.say("lobby", "x")
			n.tokens[string(token)] = true
			p.Token, p.Space, p.Kept = token, other, true
		}, admitted: true},
		"bad token, two histories": {change: func(n *node, p *wire.Peer) { n.say("lobby", "x"); p.Token, p.Space, p.Kept = token, other, true }, code: chat.BadInvite},
		"bad token, same space":    {change: func(n *node, p *wire.Peer) { p.Token = token }},
		"closed":                   {closed: true, code: chat.NotInvited},
		"closed, bad token":        {change: func(n *node, p *wire.Peer) { p.Token = token }, closed: true, code: chat.BadInvite},
		"closed, invited":          {change: func(n *node, p *wire.Peer) { n.tokens[string(token)] = true; p.Token = token }, closed: true, admitted: true},
		"closed, known":            {change: func(n *node, p *wire.Peer) { n.know(p, wire.AdmitGuest) }, closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			run2(t, func(w *world) {
				n := w.add(func(cfg *Config) { cfg.InviteOnly = c.closed })
				s := &stranger{t: t, key: keyOf(99)}
				p := s.peer()
				if c.change != nil {
					c.change(n, p)
				}
				w.start(n)
				w.settle(time.Second)
				s = w.silent(n, 99)
				s.say(p)
				if c.code != chat.OK {
					if code, err := s.ends(); code != c.code || err == nil {
						t.Errorf("ended with %v, %v, want %v", code, err, c.code)
					}
					return
				}
				wait[*wire.Digests](s)
				info := n.mesh.Peers()[0]
				if info.State != "linked" || info.Admitted != c.admitted {
					t.Errorf("it is %+v", info)
				}
				if space := max(c.space, 7*min(1, 1-min(c.space, 1))); n.Sharing().Space[0] != space {
					t.Errorf("the space is %d, want %d", n.Sharing().Space[0], space)
				}
				s.end.Close()
			})
		})
	}
}

// know has the node know another from before.
func (n *node) know(p *wire.Peer, mode uint64) {
	id := identity.IDOf(p.Key)
	n.peers[id] = store.Peer{Node: id, Mode: mode, Seen: 1}
}

// A token is good once: for a link that needs none it is not used up.
func TestTokenIsNotWasted(t *testing.T) {
	run2(t, func(w *world) {
		token := bytes.Repeat([]byte{5}, wire.TokenLen)
		n := w.add(nil)
		n.tokens[string(token)] = true
		w.start(n)
		w.settle(time.Second)
		for range 2 {
			s := w.silent(n, 99)
			p := s.peer()
			p.Token = token
			s.say(p)
			wait[*wire.Digests](s)
			if !n.mesh.Peers()[0].Admitted {
				t.Fatal("it is not admitted")
			}
			s.end.Close()
			<-s.done
		}
		n.tokens[string(token)] = true
		s := w.silent(n, 99)
		p := s.peer()
		p.Token = token
		s.say(p)
		wait[*wire.Digests](s)
		s.end.Close()
		if !n.tokens[string(token)] {
			t.Error("who is admitted has used another token up")
		}
	})
}

// An operator's own address that belongs to another space ends Run, whatever else is linked, if that is what the first attempt finds; later it does not.
func TestOtherSpaceEndsTheDialler(t *testing.T) {
	run2(t, func(w *world) {
		a, b := w.add(nil), w.add(nil, 0)
		b.sharing.Space = [16]byte{8}
		a.say("lobby", "x")
		b.say("lobby", "y")
		other := w.add(nil, 1)
		other.sharing.Space = b.sharing.Space
		b.mesh.targets = nil
		w.start(a, b, other)
		w.settle(2 * time.Second)
		w.stop(b)
		w.prepare(b, nil, 2, 0)
		w.start(b)
		<-b.done
		space := (*SpaceError)(nil)
		if !errors.As(b.err, &space) || space.Ours[0] != 8 || space.Theirs[0] != 7 || space.Address != addressOf(0) {
			t.Errorf("Run = %v", b.err)
		}
	})
	run2(t, func(w *world) {
		a, b, c := w.add(nil), w.add(nil, 0), w.add(nil, 0, 1)
		b.say("lobby", "y")
		c.say("lobby", "z")
		a.sharing.Space = [16]byte{8}
		b.mesh.targets = nil
		w.start(b, c)
		w.settle(2 * time.Second)
		w.start(a)
		a.say("lobby", "x")
		w.settle(2 * time.Minute)
		if got := w.linked(c); !slices.Equal(got, []int{1}) || c.err != nil {
			t.Errorf("linked with %v, %v", got, c.err)
		}
		w.nodes = w.nodes[:0]
		for _, n := range []*node{a, b, c} {
			w.stop(n)
		}
	})
}

// A key that has changed at an operator's own address ends Run too.
func TestChangedKeyEndsTheDialler(t *testing.T) {
	run2(t, func(w *world) {
		changed := &identity.ChangedError{}
		n := w.add(func(cfg *Config) {
			cfg.Dial = func(context.Context, string) (Link, error) { return nil, changed }
		}, 5)
		w.start(n)
		<-n.done
		if !errors.Is(n.err, changed) {
			t.Errorf("Run = %v", n.err)
		}
	})
}

// What Admit makes of a node holds at once, and after a restart.
func TestAdmit(t *testing.T) {
	run2(t, func(w *world) {
		a, b := w.add(nil), w.add(nil, 0)
		a.private["cellar"] = true
		b.private["cellar"] = true
		w.start(a, b)
		w.settle(2 * time.Second)
		a.say("cellar", "secret")
		a.say("lobby", "hello")
		w.settle(5 * time.Second)
		if len(b.order) != 1 {
			t.Fatalf("a guest has %d entries, want 1", len(b.order))
		}
		b.say("cellar", "of b")
		w.settle(5 * time.Second)
		if len(a.order) != 2 {
			t.Fatalf("%d entries: what a guest says of a private room is taken", len(a.order))
		}
		for who, want := range map[string]chat.Code{"nobody": chat.NoSuchUser, "": chat.NoSuchUser, a.key.ID().String(): chat.NoSuchUser} {
			if _, err := a.mesh.Admit(who, wire.AdmitIt); !isRefusal(err, want) {
				t.Errorf("Admit(%q) = %v", who, err)
			}
		}
		if _, err := a.mesh.Admit("node 1", 3); !isRefusal(err, chat.Malformed) {
			t.Errorf("Admit to be something else = %v", err)
		}
		info, err := a.mesh.Admit("node 1", wire.AdmitIt)
		if err != nil || !info.Admitted {
			t.Fatalf("Admit = %+v, %v", info, err)
		}
		w.settle(10 * time.Second)
		w.converged()
		a.mesh.mu.Lock()
		a.mesh.peers[b.key.ID()].note = "the link before has ended" // which may be known only once the next one is there
		a.mesh.mu.Unlock()
		if p := a.mesh.Peers()[0]; p.State != "linked" || p.Note != "" {
			t.Errorf("%+v: how the link before ended is of no use to anybody", p)
		}
		if _, err := a.mesh.Admit(b.key.ID().String(), wire.AdmitDrop); err != nil {
			t.Fatal(err)
		}
		w.settle(2 * time.Minute)
		if got := w.linked(a); len(got) > 0 || a.mesh.Peers()[0].State != "dropped" || a.mesh.Peers()[0].Note != "" {
			t.Errorf("linked with %v, %v", got, a.mesh.Peers())
		}
		if a.peers[b.key.ID()].Mode != wire.AdmitDrop {
			t.Error("that is not kept")
		}
	})
}

func isRefusal(err error, code chat.Code) bool {
	refusal := (*hub.Refusal)(nil)
	return errors.As(err, &refusal) && refusal.Code == code
}

// One link is kept for each pair, whoever dials, and when both do it is that of the node with the lower id. A newer one of the same dialler replaces the older.
func TestOneLinkForEachPair(t *testing.T) {
	run2(t, func(w *world) {
		a, b := w.add(nil, 1), w.add(nil, 0)
		w.start(a, b)
		w.settle(30 * time.Second)
		lower, higher := a, b
		if compareIDs(a.key.ID(), b.key.ID()) > 0 {
			lower, higher = b, a
		}
		one, two := lower.mesh.links[higher.key.ID()], higher.mesh.links[lower.key.ID()]
		if one == nil || two == nil || !one.dialed || two.dialed || len(lower.mesh.links) != 1 || len(higher.mesh.links) != 1 {
			t.Fatalf("links %v and %v", one, two)
		}
		live := 0
		for e := range w.ends {
			select {
			case <-e.Done():
			default:
				live++
			}
		}
		if live != 1 {
			t.Errorf("%d links are open", live)
		}
		s := w.stranger(a, 99)
		wait[*wire.Digests](s)
		again := w.stranger(a, 99)
		wait[*wire.Digests](again)
		if code, _ := s.ends(); code != chat.Replaced {
			t.Errorf("the older link ended with %v", code)
		}
		again.end.Close()
	})
}

// A node that reaches itself leaves it at that.
func TestOwnAddress(t *testing.T) {
	run2(t, func(w *world) {
		n := w.add(nil, 0)
		w.start(n)
		w.settle(time.Minute)
		if peers := n.mesh.Peers(); len(w.linked(n)) != 0 || n.mesh.targets[0].node != n.key.ID() {
			t.Errorf("it knows %+v", peers)
		}
	})
}
