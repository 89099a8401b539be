package door

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
)

// What one address may do at the door. Loopback addresses may do what they like: there the machine's own users are, all behind one address.
const (
	guestsEach   = 16 // that have not shown who they are, at one time
	comesEach    = 100 * time.Millisecond
	comesBurst   = 200 // connections at once, and one more every comesEach
	reportsEach  = time.Minute
	maxAddresses = 10_000 // remembered; beyond it those that nobody stands behind are forgotten
)

// Warden counts those at the door by their address, IPv6 by its first 64 bits. It is safe for use by many goroutines.
type Warden struct {
	// mu promises that addresses holds every address that has guests.
	mu        sync.Mutex
	addresses map[netip.Addr]*visits
}

// visits is what one address has done lately.
type visits struct {
	guests   int
	comes    *rate.Limiter
	reported time.Time
}

// NewWarden returns a Warden.
func NewWarden() *Warden { return &Warden{addresses: map[netip.Addr]*visits{}} }

// Admit counts a guest of an address until Release. When there are too many it returns false, and how long to wait before coming back.
func (w *Warden) Admit(address netip.Addr, now time.Time) (retry time.Duration, ok bool) {
	if address.IsLoopback() {
		return 0, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.visitsLocked(address, now)
	if v.guests >= guestsEach {
		return openingLimit, false
	}
	if r := v.comes.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		defer r.CancelAt(now)
		return r.DelayFrom(now), false
	}
	v.guests++
	return 0, true
}

// Release ends what Admit began.
func (w *Warden) Release(address netip.Addr) {
	if address.IsLoopback() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.addresses[chat.Network(address)]; v != nil {
		v.guests--
	}
}

// Reports says whether a failure of this address is to be logged: one a minute is, so that nobody fills the log over the network.
func (w *Warden) Reports(address netip.Addr, now time.Time) bool {
	if address.IsLoopback() {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.visitsLocked(address, now)
	if now.Sub(v.reported) < reportsEach {
		return false
	}
	v.reported = now
	return true
}

func (w *Warden) visitsLocked(address netip.Addr, now time.Time) *visits {
	address = chat.Network(address)
	v := w.addresses[address]
	if v == nil {
		if len(w.addresses) >= maxAddresses {
			w.forgetLocked(now)
		}
		v = &visits{comes: rate.NewLimiter(rate.Every(comesEach), comesBurst)}
		w.addresses[address] = v
	}
	return v
}

// forgetLocked drops the addresses that nobody stands behind: first those that owe nothing, and if there are none, all.
func (w *Warden) forgetLocked(now time.Time) {
	before := len(w.addresses)
	for address, v := range w.addresses {
		if v.guests == 0 && v.comes.TokensAt(now) >= comesBurst {
			delete(w.addresses, address)
		}
	}
	if len(w.addresses) < before {
		return
	}
	for address, v := range w.addresses {
		if v.guests == 0 {
			delete(w.addresses, address)
		}
	}
}
