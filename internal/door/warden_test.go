package door

import (
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Guests that never say who they are cost the node a bounded number of connections.
func TestWardenCountsGuests(t *testing.T) {
	w := NewWarden()
	stranger := netip.MustParseAddr("192.0.2.7")
	for i := range guestsEach {
		if _, ok := w.Admit(stranger, noon); !ok {
			t.Fatalf("guest %d of one address is turned away", i+1)
		}
	}
	if retry, ok := w.Admit(stranger, noon); ok || retry <= 0 {
		t.Errorf("guest %d of one address: let in %v, to come back in %v", guestsEach+1, ok, retry)
	}
	if _, ok := w.Admit(netip.MustParseAddr("::ffff:192.0.2.7"), noon); ok {
		t.Error("written as IPv6 it is another address")
	}
	if _, ok := w.Admit(netip.MustParseAddr("192.0.2.8"), noon); !ok {
		t.Error("another address suffers for it")
	}
	w.Release(stranger)
	if _, ok := w.Admit(stranger, noon); !ok {
		t.Error("a place that was given back is not to be had")
	}
}

// Whoever comes and goes all the time has to wait, and is told how long; then they may come again.
func TestWardenCountsConnections(t *testing.T) {
	w := NewWarden()
	come := func(address string, now time.Time) (time.Duration, bool) {
		a := netip.MustParseAddr(address)
		retry, ok := w.Admit(a, now)
		if ok {
			w.Release(a)
		}
		return retry, ok
	}
	for i := range comesBurst {
		if _, ok := come("2001:db8::1", noon); !ok {
			t.Fatalf("connection %d is turned away", i+1)
		}
	}
	for _, neighbour := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:1"} {
		if retry, ok := come(neighbour, noon); ok || retry != comesEach {
			t.Errorf("%s, of the same network: let in %v, to come back in %v, want %v", neighbour, ok, retry, comesEach)
		}
	}
	if _, ok := come("2001:db8:0:1::1", noon); !ok {
		t.Error("another network suffers for it")
	}
	if _, ok := come("2001:db8::3", noon.Add(comesEach)); !ok {
		t.Error("after the wait it is still turned away")
	}
	for range 10 * comesBurst {
		if _, ok := come("127.0.0.1", noon); !ok {
			t.Fatal("this machine's own users are turned away")
		}
	}
}

func TestWardenReports(t *testing.T) {
	w := NewWarden()
	a, b := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("127.0.0.1")
	for i, want := range []bool{true, false} {
		if got := w.Reports(a, noon); got != want {
			t.Errorf("failure %d is reported: %v, want %v", i+1, got, want)
		}
		if !w.Reports(b, noon) {
			t.Errorf("failure %d on this machine is not reported", i+1)
		}
	}
	if !w.Reports(a, noon.Add(reportsEach)) {
		t.Error("a minute later nothing is reported")
	}
}

// However many addresses come, what is remembered of them is bounded, and those who stand at the door are not forgotten.
func TestWardenForgets(t *testing.T) {
	w := NewWarden()
	stays := netip.MustParseAddr("192.0.2.7")
	for range guestsEach {
		w.Admit(stays, noon)
	}
	for n := range 3 * maxAddresses {
		a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		if _, ok := w.Admit(a, noon); !ok {
			t.Fatalf("%v is turned away", a)
		}
		w.Release(a)
	}
	if len(w.addresses) > maxAddresses+1 {
		t.Errorf("%d addresses are remembered, want %d at most", len(w.addresses), maxAddresses)
	}
	if _, ok := w.Admit(stays, noon); ok {
		t.Error("who stands at the door was forgotten")
	}
	w.Release(netip.MustParseAddr("203.0.113.1")) // never admitted: nothing happens
}
