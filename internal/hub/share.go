package hub

import (
	"errors"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// How many rows are given entries at a time, at most, and bytes of them: what is published meanwhile waits that long.
const (
	shareRows  = 1000
	shareBytes = 1 << 20
)

// Share begins to give the store's rows entries, so that other nodes can have them, and returns when that is decided: it goes on behind. It may be called
// again at any time. It returns ErrNoKey, or ErrStopped.
func (h *Hub) Share() error {
	if h.cfg.Key == nil {
		return ErrNoKey
	}
	return h.call(func() {
		if h.sharing.Shared {
			return
		}
		h.sharing.Shared = true
		h.saveSharing()
		for _, o := range h.origins {
			h.name(o)
		}
		for _, r := range h.numbers.rooms { // only Run writes there
			if r.head > 0 {
				h.sharable = append(h.sharable, r)
			}
		}
		h.shareOn()
	})
}

// saveSharing has the store know what it is among others.
func (h *Hub) saveSharing() {
	s := h.sharing
	h.batch.Sharing = &s
}

// shareOn has rows be given entries while there are any without.
func (h *Hub) shareOn() {
	if len(h.sharable) == 0 {
		h.froms = nil
		return
	}
	if h.froms == nil {
		h.froms = map[uint64]*origin{}
		for _, o := range h.origins {
			h.froms[o.Num] = o
		}
	}
	h.queue.putNow(item{do: h.shareMore})
}

// shareMore gives some rows of a room entries.
func (h *Hub) shareMore() {
	r := h.sharable[0]
	err := h.shareSome(r)
	if err != nil && !errors.Is(err, store.ErrTrimmed) {
		_ = h.fault(fmt.Errorf("share rows of room %d: %w", r.Num, err)) // which ends the hub
		return
	}
	if r.entered == r.head {
		h.sharable, r.said = h.sharable[1:], nil
	}
	h.shareOn()
}

func (h *Hub) shareSome(r *room) error {
	low, err := h.cfg.Store.Low(r.Num)
	if err != nil {
		return err
	}
	r.entered = max(r.entered, low-1)
	to := min(r.entered+shareRows, r.head-uint64(r.unpublished)) // what is not committed can't be read
	if r.entered >= to {
		return nil
	}
	rows, err := h.cfg.Store.Rows(r.Num, r.entered+1, to, shareBytes)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := h.shareRow(r, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// shareRow gives a row that the store has its entry.
func (h *Hub) shareRow(r *room, row *store.Row) error {
	said := r.said[row.Seq]
	delete(r.said, row.Seq)
	if said == nil {
		event, err := wire.DecodeEvent(row.Record[wire.HeaderLen:])
		if err != nil {
			return err
		}
		author := h.authors[row.From]
		said = &saying{author: author, origin: h.originName(h.froms[row.From], row.Epoch, row.From), target: event.Opts.Row}
		if row.Kind == chat.Act {
			said.opts = h.saidBy(r, row, author, event.Opts.Sig)
		}
	}
	sum := chat.BodySum(&row.Salt, row.Body)
	if row.Sum != nil {
		sum = [32]byte(row.Sum)
	}
	h.vouch(r, row, sum, said)
	return nil
}

// saidBy returns what the entry of an act says that was done before the store was shared: whoever became a member by it is one still, or does not matter.
// Whoever had no other right to it was an admin then, or the node had not done it: so it counts on other nodes as it did here, whoever is an admin now.
func (h *Hub) saidBy(r *room, row *store.Row, author identity.ID, sig []byte) wire.EntryOpts {
	opts := wire.EntryOpts{Sig: sig, Admin: h.cfg.Admin != nil && h.cfg.Admin(author)}
	act, err := chat.ParseAct(string(row.Body))
	if err != nil {
		return opts
	}
	a := actEntry{ActOf: act, by: author, time: row.Time}
	a.who, _ = identity.ParseID(act.Who) // it was one when it was done; or there is none
	if d := r.acts(); a.isFolded(r) && !d.permits(&d.now, &a, a.who) {
		opts.Admin = true
	}
	if act.Verb != chat.Private {
		return opts
	}
	for k, s := range r.standings {
		if k.stance == store.Member && s.Since == row.Time && len(opts.With) < wire.MaxWith {
			opts.With = append(opts.With, slices.Clone(k.key[:]))
		}
	}
	slices.SortFunc(opts.With, slices.Compare)
	return opts
}

// restoreLogs fills the tables from what the store held of logs. Which of a room's rows have entries is seen from its last one: as long as not all have,
// none has come from elsewhere.
func (h *Hub) restoreLogs(state *store.State) error {
	h.sharing = state.Sharing
	for i := range state.Logs {
		l := &state.Logs[i]
		h.lastLog = max(h.lastLog, l.Num)
		if r := h.numbers.rooms[l.Room]; r != nil {
			h.addLedger(l, r)
		}
	}
	for _, p := range state.Peers {
		h.nodes[p.Node] = p
	}
	for _, a := range state.Abroad {
		h.abroad[stranger{h.authors[a.Num], a.Name}] = a.Num
		if node := identity.IDOf(a.Via[:]); h.epochs[a.Epoch].IsZero() || h.nodes[node].Mode == wire.AdmitIt {
			h.epochs[a.Epoch] = node
		}
	}
	if err := h.restoreForks(state.Forks); err != nil {
		return err
	}
	if !h.sharing.Shared {
		return nil
	}
	if h.cfg.Key == nil {
		return ErrNoKey
	}
	for _, o := range h.origins {
		h.name(o)
	}
	for i := range state.Rooms {
		rs := &state.Rooms[i]
		if err := h.restoreEntered(h.numbers.rooms[rs.Num], rs.Low); err != nil {
			return err
		}
	}
	all := make([]*ledger, 0, len(h.ledgers))
	for _, l := range h.ledgers {
		all = append(all, l)
		if h.isOwn(&l.log) {
			l.room.own = l
		} else {
			l.room.follow(l)
		}
	}
	h.shelf.show(h, all)
	h.shareOn()
	return nil
}

// restoreEntered finds out how many rows of a room have entries.
func (h *Hub) restoreEntered(r *room, low uint64) error {
	if low > r.head {
		r.entered = r.head
		return nil
	}
	last, err := h.cfg.Store.RowsOf(r.Num, r.head, r.head)
	if err != nil {
		return err
	}
	if len(last) > 0 {
		r.entered = r.head
		return nil
	}
	for _, l := range r.logs {
		e, err := h.cfg.Store.EntryAt(l.num, l.head)
		switch {
		case errors.Is(err, store.ErrTrimmed) || errors.Is(err, store.ErrNoRow):
		case err != nil:
			return err
		default:
			r.entered = max(r.entered, e.Row)
		}
	}
	h.sharable = append(h.sharable, r)
	return nil
}
