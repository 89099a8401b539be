package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/client"
	"chatnode/internal/talk"
)

const (
	// lagEvery is how often the round trip to the node is measured; lagTold is what is worth a word besides, as nobody notices less.
	lagEvery = 15 * time.Second
	lagTold  = 2 * time.Second
)

// link is what is known of the way to the node.
type link struct {
	begun  time.Time // when it was first looked for
	up     bool
	ever   bool
	down   client.LinkDown
	retry  time.Time // when the next attempt begins
	lostAt time.Time // zero when it was not lost since the last time that it was told
	epoch  uint64    // of the log behind it, or behind the last
	asked  time.Time // when the lag was asked for; zero: it is not being asked for
	last   time.Time // when it was asked for last
	lag    time.Duration
}

// lagged is the answer of a round trip.
type lagged struct {
	lag time.Duration
	err error
}

// askLag measures the round trip now and then.
func (m *model) askLag(now time.Time) tea.Cmd {
	l := &m.link
	if !l.up || !l.asked.IsZero() || now.Sub(l.last) < lagEvery {
		return nil
	}
	l.asked, l.last = now, now
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.asking, time.Minute)
		defer cancel()
		lag, err := m.client.Lag(ctx)
		return lagged{lag, err}
	}
}

func (l *link) lagged(msg lagged) {
	if l.asked = (time.Time{}); msg.err == nil {
		l.lag = msg.lag
	}
}

func (m *model) linkUp(e client.LinkUp) tea.Cmd {
	l := &m.link
	if !e.Moved || !l.ever { // the WentOn that follows tells of both
		m.status.note(talk.UpText(e, l.ever, m.name), m.cfg.Now())
	}
	l.up, l.ever, l.asked, l.last = true, true, time.Time{}, time.Time{}
	m.title, l.epoch = e.Title, e.Epoch
	m.rename(e.Name)
	m.watch()
	return m.askLag(m.cfg.Now())
}

func (m *model) linkDown(e client.LinkDown) {
	l, now := &m.link, m.cfg.Now()
	switch why := talk.DownReason(e); {
	case l.up:
		l.lostAt = now
		m.status.note("link lost: "+why, now)
	case why != talk.DownReason(l.down) || l.retry.IsZero(): // each reason once, however often it is tried
		m.status.note("no link: "+why, now)
	}
	l.up, l.down, l.retry, l.lag, l.asked = false, e, now.Add(e.RetryIn), 0, time.Time{}
}

// text says in a few words how the link is.
func (l *link) text(now time.Time) string {
	wait := max(0, l.retry.Sub(now))
	switch {
	case l.up && !l.asked.IsZero() && now.Sub(l.asked) > lagTold:
		return "no answer for " + talk.Seconds(now.Sub(l.asked).Truncate(time.Second))
	case l.up && l.lag > 0:
		return max(l.lag.Round(lagUnit(l.lag)), lagUnit(0)).String()
	case l.up:
		return "connected"
	case l.retry.IsZero():
		return "connecting"
	case wait == 0:
		return "no link, trying now"
	case !l.ever:
		return "no node yet, trying again in " + talk.Seconds(wait)
	}
	return "no link, trying again in " + talk.Seconds(wait)
}

// lagUnit is what a round trip is rounded to: nobody wants to read microseconds change.
func lagUnit(lag time.Duration) time.Duration {
	if lag < 10*time.Millisecond {
		return 100 * time.Microsecond
	}
	return time.Millisecond
}

// because is why the last attempt failed, to be put behind a sentence.
func (l *link) because() string {
	if l.retry.IsZero() {
		return ""
	}
	return ": " + talk.DownReason(l.down)
}
