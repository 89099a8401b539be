package client

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestPeers: what a node tells of others is taken as it is told, and what can't be true is an error.
func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		got := asked(func() (Peers, error) { return r.Peers(r.ctx) })
		onControl[*wire.Peers](p)
		p.tell(&wire.PeersAre{Space: make([]byte, 16), Peers: []wire.PeerInfo{
			{Node: nodeID[:], Title: "Barn", Address: "10.0.0.5:8080", State: "linked", Admitted: true, RTT: 1500, Behind: 3, Ahead: 1, Seen: 90_000, Note: "late"},
			{Address: "10.0.0.6:8080", State: "dialing", RTT: 1 << 63},
		}})
		known, err := got()
		want := Peers{Space: wire.SpaceText(make([]byte, 16)), Peers: []Peer{
			{ID: nodeID, Title: "Barn", Address: "10.0.0.5:8080", State: "linked", Admitted: true, RTT: 1500 * time.Microsecond, Behind: 3, Ahead: 1, Seen: time.UnixMilli(90_000), Note: "late"},
			{Address: "10.0.0.6:8080", State: "dialing", RTT: known.Peers[1].RTT},
		}}
		if diff := cmp.Diff(want, known); diff != "" || err != nil || known.Peers[1].RTT < 0 {
			t.Errorf("%v, peers (-want +got):\n%s", err, diff)
		}
		change := asked(func() (Peer, error) { return r.Admit(r.ctx, "Barn", DropPeer) })
		if ask := onControl[*wire.Admit](p); ask.Node != "Barn" || ask.Mode != wire.AdmitDrop {
			t.Errorf("the node is asked %+v", ask)
		}
		p.tell(&wire.AdmitIs{Peer: wire.PeerInfo{Node: nodeID[:], State: "dropped"}})
		if is, err := change(); err != nil || is.ID != nodeID || is.State != "dropped" || !is.Seen.IsZero() {
			t.Errorf("dropped: %+v, %v", is, err)
		}
		var refused *RefusedError
		for _, who := range []string{"", "a\x1b[2J"} {
			if _, err := r.Admit(r.ctx, who, AdmitPeer); !errors.As(err, &refused) || refused.Code != chat.NoSuchUser {
				t.Errorf("%q is admitted: %v", who, err)
			}
		}
	})
}

func TestInviteNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		got := asked(func() (Invitation, error) { return r.InviteNode(r.ctx, time.Hour) })
		if ask := onControl[*wire.Invite](p); !ask.Node || ask.Uses != 1 || ask.Room != "" || ask.ForMS != 3_600_000 {
			t.Errorf("the node is asked %+v", ask)
		}
		p.tell(&wire.InviteIs{Token: testToken, Uses: 1, Expires: 90_000})
		if inv, err := got(); err != nil || inv.Node != nodeID || !bytes.Equal(inv.Token, testToken) {
			t.Errorf("%+v, %v", inv, err)
		}
		var refused *RefusedError
		for _, lasts := range []time.Duration{0, chat.MaxInvite + 1} {
			if _, err := r.InviteNode(r.ctx, lasts); !errors.As(err, &refused) || refused.Code != chat.Unsupported {
				t.Errorf("for %v: %v", lasts, err)
			}
		}
	})
}

// TestCausal: a page is in the node's order, whatever the numbers; what no list can be is an error, and the link stays.
func TestCausal(t *testing.T) {
	log, other := logOf(3, 20), logOf(4, 20)
	digest := []byte("01234567")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		for name, c := range map[string]struct {
			is   wire.CausalIs
			want []uint64
		}{
			"out of the order of seq": {wire.CausalIs{Events: raw(log[6], log[2], log[4]), Total: 20, Next: []byte{1}}, []uint64{log[6].Seq, log[2].Seq, log[4].Seq}},
			"nothing":                 {wire.CausalIs{}, nil},
			"twice":                   {wire.CausalIs{Events: raw(log[6], log[6]), Total: 20}, nil},
			"of two rooms":            {wire.CausalIs{Events: raw(log[6], other[2]), Total: 20}, nil},
			"more than all":           {wire.CausalIs{Events: raw(log[6], log[7]), Total: 1}, nil},
			"nothing, and more of it": {wire.CausalIs{Next: []byte{1}, Total: 3}, nil},
		} {
			got := asked(func() (CausalPage, error) { return r.Causal(r.ctx, "lobby", CausalQuery{After: []byte{9}, Last: true}) })
			if ask := onControl[*wire.Causal](p); ask.Room != "lobby" || !ask.Last || !bytes.Equal(ask.After, []byte{9}) {
				t.Errorf("the node is asked %+v", ask)
			}
			c.is.Digest = digest
			p.tell(&c.is)
			page, err := got()
			var seqs []uint64
			for _, m := range page.List {
				seqs = append(seqs, m.Seq)
			}
			good := c.want != nil || name == "nothing"
			if diff := cmp.Diff(c.want, seqs); diff != "" || (err == nil) != good || good && (!bytes.Equal(page.Digest, digest) || page.Total != c.is.Total || !bytes.Equal(page.Next, c.is.Next)) {
				t.Errorf("%s: %v, %+v (-want +got):\n%s", name, err, page, diff)
			}
		}
		var refused *RefusedError
		if _, err := r.Causal(r.ctx, "No!", CausalQuery{}); !errors.As(err, &refused) || refused.Code != chat.BadRoom {
			t.Errorf("of no room: %v", err)
		}
	})
}
