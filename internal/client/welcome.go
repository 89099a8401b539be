package client

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxOwn is how many of this client's numbers are remembered, so that its messages are known as its own after a change of origin.
const maxOwn = 16

var (
	errRenew      = errors.New("the node's log is another")
	errMoved      = errors.New("another node of the space goes on")
	errOtherSpace = errors.New("the node that the last one has named is of another space")
)

// settle takes in what the node says at the start of a link: which sends it has, and whether it still is the store that the client knew.
// If it is, the link is ready; if not, the client gives up its origin and this link, and its cursors unless the node is another of the same space. A node that
// another one has named has to be that.
func (n *conn) settle(w *wire.Welcome) error {
	c := n.c
	defer c.fileAnswers(1)
	c.filing.Lock()
	defer c.filing.Unlock()
	at := homeOf(w)
	c.mu.Lock()
	c.stats.Links++
	why := c.changedLocked(w)
	moves := why == WhyEpoch && c.home.shares(at) && c.home.node != at.node // the same with another log was put back to an earlier state
	n.strange = why == WhyEpoch && !moves && n.isLedLocked()
	c.mu.Unlock()
	switch {
	case moves:
		return n.move(w)
	case n.strange:
		return breach{errOtherSpace}
	case why != "":
		return n.renew(w, why)
	}
	c.complain(c.cfg.State.meet(w.Epoch, at))
	n.resume(w)
	return nil
}

// meetLocked takes the epoch that all numbers from here on belong to.
func (c *Client) meetLocked(epoch uint64) {
	if epoch != c.epoch {
		c.own = nil
	}
	c.met, c.epoch = true, epoch
}

// resume goes on with a log that is the same, or the first one.
func (n *conn) resume(w *wire.Welcome) {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	resumed := c.met && !c.renewed
	c.meetLocked(w.Epoch)
	c.renewed, c.home = false, homeOf(w)
	c.name, c.from = w.Name, w.From
	if !slices.Contains(c.own, w.From) {
		c.own = append(c.own[max(0, len(c.own)-maxOwn+1):], w.From)
	}
	c.log.Info("linked", "node", identity.ID(w.Node).String(), "name", w.Name, "epoch", w.Epoch, "resumed", resumed)
	c.feed.put(LinkUp{Title: w.Title, Name: w.Name, Node: identity.ID(w.Node), Epoch: w.Epoch, Resumed: resumed, Moved: c.behind != ""})
	c.feed.hold(false)
	c.outcomesLocked(w, false)
	n.takeUpLocked(w)
	n.wentOnLocked()
}

// isOwnLocked reports whether a number is one of this client's.
func (c *Client) isOwnLocked(from uint64) bool { return slices.Contains(c.own, from) }

// changedLocked says why the node's log can't be the one that the client knew, or returns nothing.
func (c *Client) changedLocked(w *wire.Welcome) string {
	switch {
	case c.met && w.Epoch != c.epoch:
		return WhyEpoch
	case w.LastCSeq < c.outbox.answered, w.LastCSeq > c.outbox.reached:
		return WhyAcks
	}
	return ""
}

// outcomesLocked settles the sends that the node has. One whose outcome is not told stays, to be asked again by sending it, unless this
// is its last chance.
func (c *Client) outcomesLocked(w *wire.Welcome, last bool) {
	told := map[uint64]*wire.Outcome{}
	for i := range w.Outcomes {
		told[w.Outcomes[i].CSeq] = &w.Outcomes[i]
	}
	for _, e := range c.outbox.upTo(min(w.LastCSeq, c.outbox.reached)) {
		if o := told[e.cseq]; o != nil || last {
			_, _ = c.outbox.answer(e.cseq) // it is there, and was written
			c.answeredLocked(e, o, later(o, w.Time))
		}
	}
}

// later returns how long after now, in milliseconds, something refused can be tried again; 0: never.
func later(o *wire.Outcome, now int64) time.Duration {
	if o == nil || o.Code == chat.OK || o.Time <= now {
		return 0
	}
	return millis(uint64(o.Time - now))
}

// takeUpLocked asks for the open rooms again, and for the conversations that are remembered, each from where it was left, and lets the
// writer go on with the outbox. What a room without a place has to tell is new to the user, whether its log began anew or the
// conversation began meanwhile: so much of it as a join can ask for.
func (n *conn) takeUpLocked(w *wire.Welcome) {
	c := n.c
	for _, r := range c.rooms.list {
		if r.open || r.direct() {
			n.chat = append(n.chat, r.join(chat.MaxTail, w.Epoch))
		}
	}
	if c.direct {
		n.chat = append(n.chat, &wire.Join{Room: chat.DirectMark, Tail: chat.MaxTail})
	}
	n.limits = w.Limits
	n.watch = true
	c.ready, c.linked = true, n
}

// renew settles what the node has and begins anew with what is left, under a new origin and without cursors. When that can't be written
// down nothing has changed, and the next link finds the same.
func (n *conn) renew(w *wire.Welcome, why string) error {
	c := n.c
	c.mu.Lock()
	list, at := c.outbox.above(min(w.LastCSeq, c.outbox.reached), false), homeOf(w)
	c.mu.Unlock()
	token, err := newToken(c.cfg.Rand)
	if err == nil {
		err = c.cfg.State.renew(token, list, why, w.Epoch, at)
	}
	if err != nil {
		return fmt.Errorf("begin anew, as the node's log is another: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meetLocked(w.Epoch)
	c.log.Warn("the node's log is another", "why", why, "epoch", w.Epoch)
	c.outcomesLocked(w, true)
	c.feed.put(Reset{Why: why})
	c.rooms.reset(c.direct)
	if !at.shares(c.home) {
		c.nodes = nil
	}
	c.home, c.behind = at, ""
	n.renewed, c.renewed = true, true
	c.outbox.newOrigin(token, false)
	c.unfiled = nil // they are not among those that are left
	return breach{errRenew}
}
