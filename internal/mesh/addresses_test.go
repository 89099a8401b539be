package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// recordOf returns a node's signed addresses, good for so many hours.
func recordOf(n uint64, hours int, hosts ...string) []byte {
	key := keyOf(n)
	r := &wire.SignedAddresses{Key: key.Public(), Hosts: hosts, Expires: chat.Millis(time.Now().Add(time.Duration(hours) * time.Hour))}
	r.Sig = key.Sign(wire.AddressesDomain, r.Text())
	return r.Encode()
}

// Nobody makes a node dial where it should not.
func TestMayDial(t *testing.T) {
	const (
		local, wired, site, world = "127.0.0.1:8080", "169.254.1.1:8080", "192.168.1.2:8080", "93.184.216.34:8080"
	)
	for _, c := range []struct {
		address string
		via     []string // by whom it may be learned
	}{
		{"127.0.0.1:8080", []string{local}}, {"127.8.8.8:1024", []string{local}}, {"[::1]:8080", []string{local}}, {"[::ffff:127.0.0.1]:8080", []string{local}},
		{"10.1.2.3:8080", []string{local, site}}, {"172.16.0.1:8080", []string{local, site}}, {"192.168.0.1:8080", []string{local, site}},
		{"100.64.0.1:8080", []string{local, site}}, {"[fd00::1]:8080", []string{local, site}}, {"[::ffff:10.0.0.1]:80", []string{local, site}},
		{"169.254.169.253:80", []string{wired}}, {"[fe80::1%eth0]:8080", []string{wired}},
		{"93.184.216.34:8080", []string{local, wired, site, world, ""}}, {"[2606:2800:220:1::1]:8080", []string{local, wired, site, world, ""}},
		{"0.0.0.0:8080", nil}, {"[::]:8080", nil}, {"224.0.0.1:8080", nil}, {"[ff02::1]:8080", nil}, {"255.255.255.255:80", nil}, {"240.0.0.1:80", nil}, {"0.1.2.3:80", nil},
		{"[2002:7f00:1::]:80", nil}, {"[64:ff9b::7f00:1]:80", nil}, {"[::7f00:1]:80", nil}, {"[2001:0:7f00:1::]:80", nil},
		{"[2002:7f00:1::%lo]:8080", nil}, {"[64:ff9b::7f00:1%1]:8080", nil}, {"[::1%lo]:8080", nil}, {"[fd00::1%lo]:8080", nil}, {"[2606:2800:220:1::1%lo]:8080", nil},
		{"[::ffff:0:7f00:1]:8080", nil}, {"[fec0::1]:8080", nil}, {"[::ffff:169.254.169.254]:80", nil},
		{"169.254.169.254:80", nil}, {"[fd00:ec2::254]:80", nil}, {"100.100.100.200:80", nil}, {"168.63.129.16:80", nil}, {"192.0.0.192:80", nil},
		{"93.184.216.34:22", nil}, {"93.184.216.34:25", nil}, {"10.0.0.1:53", nil}, {"127.0.0.1:1023", nil},
		{"93.184.216.34:443", []string{local, wired, site, world, ""}},
		{"localhost:8080", nil}, {"chat.example.org:8080", nil}, {"10.0.0.1", nil}, {"10.0.0.1:0", nil}, {"10.0.0.1:99999", nil}, {"", nil}, {"0x7f.1:80", nil}, {"2130706433:80", nil},
	} {
		for _, via := range []string{local, wired, site, world, "", "example.org:80"} {
			if got, want := mayDial(c.address, kindOf(via)), slices.Contains(c.via, via) || via == "example.org:80" && slices.Contains(c.via, ""); got != want {
				t.Errorf("%q, learned by way of %q: %v", c.address, via, got)
			}
		}
	}
}

// Nodes tell each other where they are reached, and so all find all.
func TestAddressesSpread(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 6 {
			var connect []int
			if i > 0 {
				connect = []int{i - 1}
			}
			w.add(func(cfg *Config) { cfg.Hosts = []string{addressOf(i)} }, connect...)
		}
		w.start(w.nodes...)
		w.settle(10 * time.Minute)
		for _, n := range w.nodes {
			if got := w.linked(n); len(got) != 5 {
				t.Errorf("node %d is linked with %v", n.n, got)
			}
			if len(n.nodes) != 5 {
				t.Errorf("the clients of node %d are told of %d others", n.n, len(n.nodes))
			}
		}
		// The last seen are dialled after a restart, though nobody names an address.
		last := w.nodes[5]
		w.stop(last)
		w.settle(time.Minute)
		w.prepare(last, func(cfg *Config) { cfg.Hosts = []string{addressOf(5)} })
		w.start(last)
		w.settle(30 * time.Second)
		if got := w.linked(last); len(got) != 5 {
			t.Errorf("after a restart it is linked with %v", got)
		}
	})
}

// named is a link that was dialled by a name.
type named struct {
	Link
	remote string
}

func (l named) Remote() string { return l.remote }

// Where a node is reached counts as what its name stands for: on a private network, those there are learned from it.
func TestAddressesByName(t *testing.T) {
	for remote, want := range map[string]int{"10.0.0.1:8080": 1, "93.184.216.34:8080": 0} {
		run2(t, func(w *world) {
			first := w.add(func(cfg *Config) { cfg.Hosts = []string{addressOf(0)} })
			second := w.add(func(cfg *Config) {
				cfg.Connect = []Target{{Address: "first:8080"}}
				dial := cfg.Dial
				cfg.Dial = func(ctx context.Context, _ string) (Link, error) {
					conn, err := dial(ctx, addressOf(0))
					return named{conn, remote}, err
				}
			})
			w.start(first, second)
			w.settle(time.Minute)
			if got := len(second.nodes); got != want {
				t.Errorf("by way of %s the clients are told of %d others", remote, got)
			}
		})
	}
}

// Addresses are signed anew before they end.
func TestAddressesAreRenewed(t *testing.T) {
	run2(t, func(w *world) {
		var later atomic.Int64 // by how much the clocks are ahead: half a day takes long
		for i := range 2 {
			w.add(func(cfg *Config) {
				cfg.Hosts, cfg.Now = []string{addressOf(i)}, func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			}, 1-i)
		}
		w.start(w.nodes...)
		w.settle(10 * time.Second)
		later.Store(int64(recordEvery))
		w.settle(5 * time.Minute)
		m := w.nodes[1].mesh
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.peers[w.nodes[0].key.ID()]
		if left := time.UnixMilli(p.Expires).Sub(m.cfg.Now()); left < recordLife-10*time.Minute {
			t.Errorf("the other's addresses are good for %v", left)
		}
	})
}

// Of what a stranger says of others only what these have signed counts, is not passed on, and is looked at once in a while.
func TestAddressesOfStrangers(t *testing.T) {
	run2(t, func(w *world) {
		var mu sync.Mutex
		var dialed []string // guarded by mu
		n := w.add(func(cfg *Config) {
			cfg.Hosts = []string{addressOf(0)}
			cfg.Dial = func(ctx context.Context, address string) (Link, error) {
				mu.Lock()
				defer mu.Unlock()
				dialed = append(dialed, address)
				return nil, errors.New("nobody")
			}
		})
		w.start(n)
		w.settle(time.Second)
		s, other := w.stranger(n, 99), w.stranger(n, 98)
		wait[*wire.Digests](s)
		wait[*wire.Digests](other)
		s.say(&wire.Addresses{List: [][]byte{
			recordOf(50, 5, "10.0.0.50:8080", "127.0.0.1:22", "host.example.org:80", "8.8.8.8:5353"), recordOf(51, -1, "10.0.0.51:8080"), recordOf(0, 5, "10.0.0.52:8080"),
		}})
		s.say(&wire.Addresses{List: [][]byte{recordOf(53, 5, "10.0.0.53:8080")}})
		w.settle(30 * time.Second)
		mu.Lock()
		got := slices.Compact(slices.Sorted(slices.Values(dialed)))
		mu.Unlock()
		if !slices.Equal(got, []string{"10.0.0.50:8080", "8.8.8.8:5353"}) {
			t.Errorf("dialled %v", got)
		}
		w.settle(10 * time.Minute)
		if p := n.mesh.peers[keyOf(50).ID()]; p != nil {
			t.Error("a node that nobody ever reached is still known")
		}
		other.end.Close()
		for r := other.hear(); r != nil; r = other.hear() {
			if a, ok := r.(*wire.Addresses); ok {
				t.Errorf("%d addresses are passed on", len(a.List))
			}
		}
		s.end.Close()
	})
}

// Addresses that promise to be good for too long are a lie.
func TestAddressesForEver(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		s.say(&wire.Addresses{List: [][]byte{recordOf(50, 30, "10.0.0.50:8080")}})
		if code, err := s.ends(); code != chat.Malformed || !errors.Is(err, errLie) {
			t.Errorf("ended with %v, %v", code, err)
		}
	})
}

// Up to sixteen nodes link each with each. Of more each has eight links at most, each of which both sides choose, and the graph is connected and narrow.
func TestChosen(t *testing.T) {
	for _, n := range []int{1, 2, 3, 15, 16, 17, 18, 20, 33, 50, 200, 1000} {
		var all []identity.ID
		for i := range n {
			all = append(all, sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
		}
		links := map[identity.ID]map[identity.ID]bool{}
		for _, id := range all {
			links[id] = chosen(id, slices.DeleteFunc(slices.Clone(all), func(other identity.ID) bool { return other == id }))
			if links[id][id] {
				t.Fatalf("%d nodes: one is linked with itself", n)
			}
			if n <= fullMesh && len(links[id]) != n-1 || n > fullMesh && len(links[id]) > 8 {
				t.Fatalf("%d nodes: %d links", n, len(links[id]))
			}
		}
		reached, steps := map[identity.ID]bool{all[0]: true}, 0
		for ; len(reached) < n && steps < n; steps++ {
			for id := range reached {
				for other := range links[id] {
					if !links[other][id] {
						t.Fatalf("%d nodes: a link that only one side chooses", n)
					}
				}
			}
			next := map[identity.ID]bool{}
			for id := range reached {
				next[id] = true
				for other := range links[id] {
					next[other] = true
				}
			}
			reached = next
		}
		if len(reached) != n || n <= 200 && steps > 7 {
			t.Errorf("%d nodes: %d reached in %d steps", n, len(reached), steps)
		}
	}
}

// Twenty nodes that begin as a star end with eight links each, about, and what one says still comes to all.
func TestManyNodes(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 20 {
			var connect []int
			if i > 0 {
				connect = []int{0}
			}
			w.add(func(cfg *Config) { cfg.Hosts = []string{addressOf(i)} }, connect...)
		}
		w.start(w.nodes...)
		w.settle(6 * time.Minute)
		links := 0
		for _, n := range w.nodes[1:] {
			links += len(w.linked(n))
		}
		if average := float64(links) / 19; average > 9.5 || average < 5 {
			t.Errorf("%.1f links each", average)
		}
		w.nodes[7].say("lobby", "hello")
		w.until(3 * time.Second)
	})
}

// Of many addresses that do not answer four are dialled at a time, and less and less often.
func TestDialBudget(t *testing.T) {
	run2(t, func(w *world) {
		now, most, count := 0, 0, 0
		n := w.add(func(cfg *Config) {
			cfg.Dial = func(ctx context.Context, address string) (Link, error) {
				w.mu.Lock()
				now, count = now+1, count+1
				most = max(most, now)
				w.mu.Unlock()
				<-ctx.Done()
				w.mu.Lock()
				now--
				w.mu.Unlock()
				return nil, ctx.Err()
			}
		}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		w.start(n)
		w.settle(10 * time.Minute)
		synctest.Wait()
		if most != maxDials {
			t.Errorf("%d are dialled at a time", most)
		}
		if count > 260 || count < 60 {
			t.Errorf("dialled %d times in ten minutes", count)
		}
	})
}
