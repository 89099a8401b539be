package hub

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// lateAfter is how old an entry has to be, by its node's clock, for its row to say when it was written.
const lateAfter = 10 * time.Second

// maxSeq bounds the entries of a log, as stores do.
const maxSeq = 1<<36 - 1

// stranger is an origin of another node: a key, and what all nodes call the origin.
type stranger struct {
	author identity.ID
	name   [16]byte
}

// offer is an entry as it was offered, and what its taker's own goroutine finds out about it.
type offer struct {
	wire.Signed
	*wire.Entry
	id      wire.EntryID
	checked bool   // the signature is its node's
	old     bool   // it is an act that is signed for no node
	fault   string // why it is a lie; empty: it may be none
}

// offering is a list of them on its way through the sequencer.
type offering struct {
	from   Source
	log    wire.Log
	id     wire.LogID
	low    uint64 // where the log may go on when there is a gap; 0: nowhere
	closed bool   // the room is private where it comes from
	gone   bool   // what its first entry depends on and is not here is kept nowhere any more
	list   []offer
	got    *Offered
	ledger *ledger
	room   *room
}

// Offer takes entries of a log, the first of which has seq first, as far as they are true and what they depend on is here, and says how far that was. It
// verifies on the caller's goroutine, and returns after the commit. Its error is ErrStopped.
func (h *Hub) Offer(from Source, log wire.Log, first uint64, list []wire.Signed) (Offered, error) {
	got, err := h.OfferAll(from, []Run{{Log: log, Low: from.Low, First: first, List: list}})
	return got[0], err
}

// OfferAll is Offer for each of some runs in their order, in one commit.
func (h *Hub) OfferAll(from Source, runs []Run) ([]Offered, error) {
	got := make([]Offered, len(runs))
	all := make([]*offering, 0, len(runs))
	size := 0
	for i := range runs {
		r := &runs[i]
		o := &offering{from: from, log: r.Log, low: r.Low, closed: r.Private, gone: r.Gone, got: &got[i], list: make([]offer, len(r.List))}
		if fault := checkLog(&r.Log); fault != "" {
			o.got.Fault = fault
			continue
		}
		o.id = r.Log.ID()
		known := h.shelf.headOf(o.id) // up to here only the ids are compared: most of what comes twice is true
		parallel(len(r.List), func(i int) {
			seq := r.First + uint64(i)
			o.list[i] = check(&o.log, o.id, seq, r.List[i], seq > known)
		})
		for i := range r.List {
			size += len(r.List[i].Entry) + len(r.List[i].Body) + requestSize
		}
		all = append(all, o)
	}
	done := make(chan struct{})
	take := func() {
		for _, o := range all {
			h.take(o)
		}
	}
	if err := h.queue.put(item{do: take, done: done, size: size, writes: true}); err != nil {
		return got, err
	}
	if err := h.await(done); err != nil {
		return make([]Offered, len(runs)), err // what is being written there is not the caller's any more
	}
	return got, nil
}

// parallel calls f for 0 to n-1, on all cores when that is worth it.
func parallel(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/4)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	all.Wait()
}

// checkLog says why there can't be such a log; empty: there can.
func checkLog(log *wire.Log) string {
	if len(log.Node) != ed25519.PublicKeySize {
		return "a log without a node"
	}
	if _, _, ok := parseShared(log.Room); !ok {
		return "a log of a room that can't be"
	}
	return ""
}

// check finds out what can be said of an entry without knowing what stands before it.
func check(log *wire.Log, id wire.LogID, seq uint64, s wire.Signed, verify bool) (o offer) {
	o.Signed, o.id = s, wire.EntryIDOf(id, s.Entry)
	e, err := wire.DecodeEntry(s.Entry)
	if err == nil {
		err = e.Check()
	}
	if err != nil {
		o.fault = err.Error()
		return o
	}
	o.Entry = e
	switch {
	case e.Seq > maxSeq:
		o.fault = "its number is none"
	case e.Seq != seq:
		o.fault = fmt.Sprintf("it says that it is entry %d", e.Seq)
	case verify && !o.verify(log):
		o.fault = "its signature is wrong"
	default:
		o.fault = o.checkText(log)
	}
	return o
}

// verify reports whether the entry is signed by its log's node.
func (o *offer) verify(log *wire.Log) bool {
	o.checked = o.checked || identity.CheckSignature(log.Node, wire.EntryDomain, o.id[:], o.Sig)
	return o.checked
}

// checkText says why the row of an entry can't be one; empty: it can.
func (o *offer) checkText(log *wire.Log) string {
	e, s := o.Entry, &o.Signed
	_, peers, _ := parseShared(log.Room)
	direct := !peers[0].IsZero()
	author := identity.ID(e.Author)
	switch {
	case e.Kind < chat.Text || e.Kind > chat.Sealed || e.Kind == chat.Skip || e.Kind == chat.Sealed && !direct || e.Kind == chat.Topic && direct:
		return "a message of a kind that can't be there"
	case direct && !slices.Contains(peers[:], author):
		return "a message to two others"
	case chat.Shown(e.Name) != e.Name:
		return "a name that can't be"
	case len(s.Salt) == 0 && (len(s.Body) > 0 || !slices.Contains(redactable, e.Kind)):
		return "a text without its salt"
	case len(s.Salt) == 0:
		return ""
	case len(s.Salt) != saltSize:
		return "a salt of a wrong length"
	}
	if sum := chat.BodySum((*[saltSize]byte)(s.Salt), s.Body); !bytes.Equal(sum[:], e.Sum) {
		return "another text than it has the hash of"
	}
	if e.Kind == chat.Act {
		return o.checkAct(log)
	}
	if clean, code := chat.CheckBody(e.Kind, s.Body); code != chat.OK || !bytes.Equal(clean, s.Body) {
		return "a text that can't be"
	}
	return ""
}

// checkAct says why an entry's act can't be one; empty: it can. Its author has signed it for the log's node, or for none, as acts once were.
func (o *offer) checkAct(log *wire.Log) string {
	e, body := o.Entry, o.Body
	act, err := chat.ParseAct(string(body))
	if err == nil && act.Who != "" {
		var who identity.ID
		if who, err = identity.ParseID(act.Who); err == nil && who.String() != act.Who {
			err = wire.ErrMalformed
		}
	}
	covers := identity.SignedAct{Node: identity.IDOf(log.Node), Epoch: e.Epoch, From: e.From, CSeq: e.CSeq, Room: chat.SignedRoom(log.Room), Body: body}
	switch {
	case err != nil || e.Opts.Target != nil && act.Verb != chat.Redact || len(e.Re) > 0:
		return "an act that can't be"
	case covers.SignedBy(identity.ID(e.Author), e.Opts.Sig):
		return ""
	}
	covers.Node, o.old = identity.ID{}, true
	if !covers.SignedBy(identity.ID(e.Author), e.Opts.Sig) {
		return "an act that its author has not signed for that node"
	}
	return ""
}

// take takes what can be of an offering, one entry after the other.
func (h *Hub) take(o *offering) {
	o.ledger, o.room = h.ledgers[o.id], h.shared(o.log.Room)
	defer func() {
		if o.ledger != nil {
			o.got.Head = o.ledger.head
			if o.ledger.forked > 0 {
				o.got.Head = min(o.got.Head, o.ledger.forked-1)
			}
		}
	}()
	switch {
	case h.cfg.Key == nil || !h.allows(&o.from, o):
		o.got.Refused = true
		return
	case h.full, h.stopping, o.room != nil && o.room.entered < o.room.head: // the last until its own rows have entries: see Share
		o.got.Later = true
		return
	case !h.sharing.Shared:
		o.got.Refused = true
		return
	}
	for i := range o.list {
		if !h.takeOne(o, &o.list[i]) {
			return
		}
	}
}

// allows reports whether what a log says is to be taken from a node: from one that is not admitted, not what a guest would not read.
func (h *Hub) allows(from *Source, o *offering) bool {
	r := o.room
	switch {
	case from.Admitted:
	case o.log.Room[0] == chat.DirectMark[0] || o.log.Room == chat.Reports || r != nil && r.Rules.Private:
		return false
	}
	if r == nil {
		room, _, _ := parseShared(o.log.Room)
		return len(h.rooms)+len(h.directs) < maxRooms && (room == "" || chat.MayBeRoom(room))
	}
	return true
}

// takeOne takes an entry, or says why not, and reports whether the next one can be looked at.
func (h *Hub) takeOne(o *offering, x *offer) bool {
	head := uint64(0)
	if o.ledger != nil {
		head = o.ledger.head
	}
	switch {
	case x.Entry == nil:
		o.got.Fault = x.fault
		return false
	case x.Seq <= head:
		return h.compare(o, x)
	case o.ledger != nil && o.ledger.isForked(x.Seq):
		o.got.Refused = true // nothing more is taken of it
		return false
	case x.fault == "" && !x.verify(&o.log):
		x.fault = "its signature is wrong"
	}
	leap := x.Seq > head+1 && x.Seq == o.low
	switch {
	case x.fault != "":
		o.got.Fault = x.fault
		return false
	case h.isOwn(&o.log):
		o.got.Mine = true
		return false
	case x.Seq != head+1 && !leap:
		return false // a gap: it is to be asked for what lies between
	case x.Kind == chat.Act && o.room != nil && o.room.docket != nil && len(o.room.docket.acts) >= 2*maxActs:
		h.cfg.Log.Warn("a room has too many acts: nothing more of a log is taken", "node", identity.IDOf(o.log.Node).String(), "room", o.log.Room, "seq", x.Seq)
		o.got.Refused = true
		return false
	case leap && o.closed && !o.from.Admitted: // its word closes no room, and it is believed that this one is
		o.got.Refused = true
		return false
	case leap && o.ledger != nil && o.ledger.dirty: // which a store can't do at once
		o.got.Later = true
		return false
	}
	if !h.fits(o, x, leap) {
		return false
	}
	if x.old && h.isReplayed(o, x) {
		o.got.Refused = true // whoever passes it on may not have met the other node
		return false
	}
	if !h.affords(o, x) {
		o.got.Refused = true
		return false
	}
	h.accept(o, x, leap)
	return true
}

// isReplayed reports whether an act that is signed for no node was done on another than its log's: its author has signed the epoch of that node's store, which
// is nobody else's. What was undone since would be done again. Of nodes that have never been heard of nothing is known; whoever is admitted is believed.
func (h *Hub) isReplayed(o *offering, x *offer) bool {
	if h.node == identity.IDOf(o.log.Node) {
		return false
	}
	node, known := h.epochs[x.Epoch]
	return x.Epoch == h.epoch || known && node != identity.IDOf(o.log.Node) && !h.trusts(&o.log)
}

// compare looks at an entry of which there is one in its place.
func (h *Hub) compare(o *offering, x *offer) bool {
	k, found, err := h.link(o.ledger, x.Seq)
	switch {
	case err != nil:
		o.got.Later = true // the hub ends
		return false
	case !found || k.id == x.id: // or what is not kept any more, of which nothing can be said
		o.got.Known++
		return true
	case !x.verify(&o.log):
		o.got.Fault = "its signature is wrong"
		return false
	}
	o.got.Fork = h.foundFork(o, x)
	return false
}

// fits checks an entry against what stands before it and what it depends on.
func (h *Hub) fits(o *offering, x *offer, leap bool) bool {
	l := o.ledger
	lamport, unsure := uint64(0), true
	switch {
	case leap || l != nil && l.head > 0 && l.headID == wire.EntryID{}: // what stands before it was never here
	case l != nil && l.head > 0 && !bytes.Equal(x.Prev, l.headID[:]):
		o.got.Doubt = l.head // the log's node has signed both: whoever passes on what it was given is no liar
		return false
	case l != nil:
		lamport, unsure = l.lamport, false
	default:
		unsure = false
	}
	needs := x.Deps
	if x.Opts.Target != nil {
		needs = append(slices.Clip(needs), *x.Opts.Target)
	}
	for i := range needs {
		high, state := h.needs(o, &needs[i])
		switch state {
		case lies:
			o.got.Fault = "it depends on what can't be"
			return false
		case missing:
			o.got.Missing = append(o.got.Missing, needs[i])
		case unknown:
			unsure = unsure || i < len(x.Deps)
		}
		if i < len(x.Deps) {
			lamport = max(lamport, high)
		}
	}
	if leap || o.gone && x == &o.list[0] {
		unsure = unsure || len(o.got.Missing) > 0
		o.got.Missing = nil // who begins in the middle can't have all that, nor who comes when it has been forgotten
	}
	if len(o.got.Missing) > 0 {
		return false
	}
	if lamport = min(lamport+1, maxLamport); x.Lamport < lamport || x.Lamport > lamport && !unsure {
		o.got.Fault = "it claims a wrong place in the order"
		return false
	}
	o.got.Later = x.Lamport > lamport && x.Lamport > h.likely()
	return !o.got.Later
}

// likely returns the highest place in the causal order that an entry may claim which can't be checked, as what it follows is not kept: no room has had more
// entries than one a millisecond for as long as there are computers, and as many again for nodes without a clock. So nobody can use up what there is, as
// the bound grows faster than rooms do. Whoever passes on more may have a clock that is ahead: it is no liar, and later the entry is taken.
func (h *Hub) likely() uint64 {
	const some = 1 << 40
	return some + uint64(max(0, chat.Millis(h.cfg.Now())))
}

// need is what there is of an entry that another depends on.
type need uint8

const (
	here    need = iota
	missing      // it has not come, or there is another in its place
	unknown      // it is not kept any more, or hidden: nothing can be said of it
	lies         // it can't be what is depended on
)

// needs finds what an entry depends on, and how high that stands in the causal order.
func (h *Hub) needs(o *offering, d *wire.Dep) (lamport uint64, state need) {
	l := h.ledgers[d.Log]
	switch {
	case d.Log == o.id && (o.ledger == nil || d.Seq > o.ledger.head):
		return 0, lies // on itself, or on what follows it
	case l == nil:
		return 0, missing
	case l.log.Room != o.log.Room:
		return 0, lies
	case l.isForked(d.Seq):
		return 0, unknown
	case d.Seq > l.head:
		return 0, missing
	}
	k, found, err := h.link(l, d.Seq)
	switch {
	case err != nil:
		return 0, missing // the hub ends
	case !found:
		return 0, unknown
	case !bytes.Equal(k.id[:idPrefix], d.ID):
		return 0, missing
	}
	return k.lamport, here
}

// accept makes an entry, which fits, part of its log and a row of its room, unless there is a row already that says the same.
func (h *Hub) accept(o *offering, x *offer, leap bool) {
	r := h.hostRoom(o, x)
	if o.ledger == nil {
		o.ledger = h.newLedger(o.log, r, x.Seq)
	}
	if leap && o.closed {
		h.hold(r)
	}
	l := o.ledger
	if leap && l.head+1 != x.Seq {
		l.low, l.head, l.headID, l.lamport, l.links = x.Seq, x.Seq-1, wire.EntryID{}, 0, nil
		h.saveLog(l)
	}
	author := identity.ID(x.Author)
	k := asked(author, [16]byte(x.Origin), x.CSeq, x.Opts.As)
	entry := store.Entry{Lamport: x.Lamport, ID: x.id, Act: x.Kind == chat.Act, Header: x.Signed.Entry, Sig: x.Sig}
	origin, cseq := [16]byte(x.Origin), x.CSeq
	if as := x.Opts.As; as != nil {
		origin, cseq = [16]byte(as.Origin), as.CSeq
	}
	same, taken, _ := h.pairTaken(r, author, origin, cseq) // its error ends the hub
	if taken && (len(x.Salt) == 0 || h.repeats(r, same, x.Kind, x.Body)) {
		entry.Hidden, entry.Row, entry.Same = true, r.head, same
		if !h.isGone(r, same) {
			entry.Salt, entry.Body = x.Salt, x.Body
		}
	} else {
		row := h.hostRow(&o.log, r, x, author)
		entry.Row = row.Seq
		h.takePair(k, r, row.Seq)
	}
	h.grow(l, entry)
	r.entered = r.head
	r.follow(l)
	if !r.kept {
		h.batch.Rooms = append(h.batch.Rooms, r.Room)
		r.kept = true
	}
	h.fold(r, l, x, entry.Row)
}

// fold has an entry of another node count for what the room is.
func (h *Hub) fold(r *room, l *ledger, x *offer, row uint64) {
	switch x.Kind {
	case chat.Topic:
		h.foldTopic(r, topicAt{x.Lamport, x.id, l, x.Seq}, x.Body)
	case chat.Act:
		a, err := actOf(l.id, x.id, x.Entry, x.Body, row, h.trusts(&l.log))
		switch {
		case err != nil: // checkAct has seen to that
		case a.Verb == chat.Redact:
			h.redactFor(r, x, a)
		default:
			h.foldAct(r, a)
		}
	}
}

// redactFor takes away the text that an act of another node names, if its author may.
func (h *Hub) redactFor(r *room, x *offer, a actEntry) {
	if x.Opts.Target == nil {
		return
	}
	l := h.ledgers[x.Opts.Target.Log]
	if l == nil {
		return
	}
	e, err := h.entryAt(l, x.Opts.Target.Seq)
	if err != nil {
		return // it is not kept any more, or the hub ends
	}
	target, err := wire.DecodeEntry(e.Header)
	if err != nil {
		return
	}
	header := target.Header()
	if !slices.Contains(redactable, target.Kind) || header.IDOf([sha256.Size]byte(target.Sum)).String() != a.Text {
		return
	}
	if h.mayRedact(r, a, identity.ID(target.Author)) {
		h.batch.Redactions = append(h.batch.Redactions, store.Redaction{Room: r.Num, Seq: linkOf(&e).row})
	}
}

// isGone reports whether the text of a row was taken away.
func (h *Hub) isGone(r *room, seq uint64) bool {
	if slices.Contains(h.batch.Redactions, store.Redaction{Room: r.Num, Seq: seq}) {
		return true
	}
	if seq > r.head-uint64(r.unpublished) {
		return false
	}
	e, err := h.eventAt(r, seq)
	return err != nil || len(e.Opts.Gone) > 0
}

// hostRow makes a row of an entry of another node.
func (h *Hub) hostRow(log *wire.Log, r *room, x *offer, author identity.ID) *store.Row {
	a := h.host(author, x.Name, x.Time)
	if r.Direct() {
		for _, id := range r.Peers {
			h.openDirect(r, h.account(id))
		}
	}
	given := store.Row{
		Header: chat.Header{From: h.numberOf(log, x, author), CSeq: x.CSeq, Kind: x.Kind, Name: a.name}, Body: x.Body,
		ID: x.idOfRow(),
	}
	opts := wire.Opts{Re: x.Re, Sig: x.Opts.Sig}
	copy(given.Re[:], x.Re)
	if len(x.Salt) > 0 {
		given.Salt = [saltSize]byte(x.Salt)
	} else {
		given.Sum, opts.Gone = x.Sum, x.Sum
	}
	if t := x.Opts.Target; t != nil {
		if k, found, _ := h.link(h.ledgers[t.Log], t.Seq); found { // its error ends the hub
			opts.Row = k.row
		}
	}
	if now := chat.Millis(h.cfg.Now()); now-x.Time > lateAfter.Milliseconds() {
		opts.At = x.Time
	}
	return h.place(r, &given, &opts)
}

// idOfRow returns the message's id, which is the same on all nodes.
func (o *offer) idOfRow() chat.ID {
	header := o.Header()
	return header.IDOf([sha256.Size]byte(o.Sum))
}

// host returns the account of somebody who has written on another node, with a name that nobody else has here.
func (h *Hub) host(id identity.ID, name string, wrote int64) *account {
	a := h.account(id)
	now := h.cfg.Now()
	seen := min(wrote, chat.Millis(now))
	stale := seen-a.seen >= seenEvery.Milliseconds()
	a.seen = max(a.seen, seen)
	base := chat.BaseName(name)
	if !a.lent && a.name != "" && (a.joined || chat.BaseName(a.name) == base) {
		if stale {
			h.save(a)
		}
		return a
	}
	if !chat.ValidName(base) {
		base = chat.MakeName(base)
	}
	h.rename(a, h.free(base, a))
	return a
}

// numberOf returns the number that an origin of another node has here.
func (h *Hub) numberOf(log *wire.Log, x *offer, author identity.ID) uint64 {
	k := stranger{author, [16]byte(x.Origin)}
	if num := h.abroad[k]; num > 0 {
		return num
	}
	h.lastFrom++
	num := h.lastFrom
	h.abroad[k], h.authors[num] = num, author
	if node := identity.IDOf(log.Node); h.epochs[x.Epoch].IsZero() || h.trusts(log) {
		h.epochs[x.Epoch] = node
	}
	h.batch.Origins = append(h.batch.Origins, store.Origin{Num: num, Key: author, Last: max(1, x.CSeq), Retired: true})
	is := store.Abroad{Epoch: x.Epoch, From: x.From, Num: num, Name: k.name, Via: [32]byte(log.Node)}
	h.batch.Abroad = append(h.batch.Abroad, is)
	h.vouched(&is)
	return num
}

// hostRoom returns the room of an offering, which it makes when there is none. The first entry of a log says who owns the room: that counts where nobody is
// known to, and of a node that is admitted, where its claim is the older one.
func (h *Hub) hostRoom(o *offering, x *offer) *room {
	made := o.room == nil
	if made {
		name, peers, _ := parseShared(o.log.Room)
		o.room = h.makeRoom(store.Room{Name: name, Peers: peers})
		h.charge(identity.IDOf(o.log.Node), 1, 0)
	}
	r := o.room
	if len(x.Opts.Owner) == 0 || r.Direct() || r.isReports() || r.isHeld() {
		return r
	}
	owner, since := identity.ID(x.Opts.Owner), x.Opts.Made
	trusted := h.trusts(&o.log)
	if !trusted {
		since = r.Created // its own word for how old the claim is does not count against those of others
	}
	older := cmp.Or(cmp.Compare(since, r.Created), bytes.Compare(owner[:], r.Owner[:])) < 0
	unsaid := r.head == 0 // who owns it here has only joined it: no entry ever told anybody, so it can't compete
	if r.Owner.IsZero() && made || trusted && (r.Owner.IsZero() || older || unsaid) {
		r.Created = since
		h.own(r, owner)
	}
	return r
}

// trusts reports whether what a log says of rights counts: that of this node, under whatever nonce, and of nodes that are admitted.
func (h *Hub) trusts(log *wire.Log) bool {
	return h.nodes[identity.IDOf(log.Node)].Mode == wire.AdmitIt || bytes.Equal(h.cfg.Key.Public(), log.Node)
}
