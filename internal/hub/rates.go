package hub

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// burstSeconds is how many seconds' worth of messages may come at once.
const burstSeconds = 3

// rates paces what is published: whoever is too fast is not read for a while, and loses nothing.
type rates struct {
	perKey  float64
	perRoom float64

	// mu promises that rooms is whole.
	mu    sync.Mutex
	rooms map[string]*rate.Limiter // forgotten when full again
}

func limiter(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond*burstSeconds)))
}

// take counts one against a limit of burst at once and one more each each, which is made at its first use, or returns how long it is until that
// would be possible.
func take(l **rate.Limiter, each time.Duration, burst int, now time.Time) (wait time.Duration) {
	if *l == nil {
		*l = rate.NewLimiter(rate.Every(each), burst)
	}
	r := (*l).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// millis returns a time to wait as a record tells it, never too short.
func millis(wait time.Duration) uint64 {
	return uint64((wait + time.Millisecond - 1) / time.Millisecond)
}

// room returns the limiter of a room, nil where there is no limit.
func (r *rates) room(name string) *rate.Limiter {
	if r.perRoom == 0 || len(name) > 4*chat.MaxRoom {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.rooms[name]
	if l == nil {
		l = limiter(r.perRoom)
		r.rooms[name] = l
	}
	return l
}

// forget drops limiters that would not hold anybody back.
func (r *rates) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, l := range r.rooms {
		if l.Tokens() >= float64(l.Burst()) {
			delete(r.rooms, name)
		}
	}
}

// Delay counts p against its key's and its room's rate and returns how long its client is not to be read before it is submitted.
func (s *Session) Delay(p *wire.Pub) (wait time.Duration) {
	for _, l := range [...]*rate.Limiter{s.account.limit, s.hub.rates.room(p.Room)} {
		if l != nil {
			wait = max(wait, l.Reserve().Delay())
		}
	}
	return wait
}
