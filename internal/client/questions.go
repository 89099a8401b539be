package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// maxAuthors is how many numbers one Authors question asks for, and maxCached how many answers are kept before all are forgotten.
	maxAuthors = 256
	maxCached  = 4096
	// maxListed bounds what Names and List collect from a node that always has more.
	maxListed = 20_000
)

// errAnswer says that the node answered something that was not asked.
var errAnswer = errors.New("an answer to no question")

// question waits for its turn on the control stream, or for its answer.
type question struct {
	record wire.Record // what is asked; of an Authors question made when its turn comes
	answer chan result // capacity 1, so that nobody waits for a caller that has gone
	gone   bool        // the caller does not wait any more
}

type result struct {
	record wire.Record
	epoch  uint64      // of the store that answered
	node   identity.ID // whose it is
	author identity.ID // for a caller of Author
	err    error
}

// asker has one question at a time on the control stream. A question whose link is lost is asked again on the next.
type asker struct {
	mu      sync.Mutex  // guards what follows; never held while anything waits
	waiting []*question // the first is asked, if asked says so
	asked   bool
	closed  bool
	met     bool                   // there was a welcome
	epoch   uint64                 // of the last welcome
	node    identity.ID            // of the last welcome
	cache   map[uint64]identity.ID // whose numbers are known, of this epoch
	wanted  map[uint64][]chan result
	asking  bool       // an Authors question is among those that wait
	full    bool       // the node has no room for messages: questions do not wait for the answers to these
	away    *wire.Away // what the node has taken and forgets with the last session; nil: the user is here
}

func newAsker() *asker {
	return &asker{cache: map[uint64]identity.ID{}, wanted: map[uint64][]chan result{}}
}

// next returns the record to write now, or nil.
func (a *asker) next() wire.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.asked && len(a.waiting) > 0 {
		q := a.waiting[0]
		if ask, ok := q.record.(*wire.Authors); ok {
			ask.From = a.wantedLocked()
			q.gone = len(ask.From) == 0
			a.asking = !q.gone
		}
		if !q.gone {
			a.asked = true
			return q.record
		}
		a.waiting = a.waiting[1:]
	}
	return nil
}

// wantedLocked returns some of the numbers that callers wait for, as many as one question takes.
func (a *asker) wantedLocked() []uint64 {
	var list []uint64
	for from := range a.wanted {
		if len(list) < maxAuthors {
			list = append(list, from)
		}
	}
	slices.Sort(list)
	return list
}

// settle gives the asked question its answer. It returns errAnswer when the record answers nothing that was asked.
func (a *asker) settle(r wire.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked {
		return errAnswer
	}
	q := a.waiting[0]
	res := result{record: r, epoch: a.epoch, node: a.node}
	switch r := r.(type) {
	case *wire.Failed:
		res = result{err: &RefusedError{Code: r.Code, RetryAfter: millis(r.RetryAfterMS)}}
	default:
		if !answers(q.record, r) {
			return errAnswer
		}
		if ask, ok := q.record.(*wire.Away); ok && ask.Away {
			a.away = ask
		} else if ok {
			a.away = nil
		}
	}
	a.waiting = a.waiting[1:]
	a.asked = false
	if ask, ok := q.record.(*wire.Authors); ok {
		return a.authorsLocked(ask, res)
	}
	q.answer <- res
	return nil
}

// answers reports whether a is the type that answers q.
func answers(q, a wire.Record) bool {
	ok := false
	switch q.(type) {
	case *wire.Names:
		_, ok = a.(*wire.NamesAre)
	case *wire.Whois:
		_, ok = a.(*wire.WhoisIs)
	case *wire.List:
		_, ok = a.(*wire.ListIs)
	case *wire.Authors:
		_, ok = a.(*wire.AuthorsAre)
	case *wire.History:
		_, ok = a.(*wire.HistoryIs)
	case *wire.Search:
		_, ok = a.(*wire.SearchIs)
	case *wire.Keep:
		_, ok = a.(*wire.KeepIs)
	case *wire.Invite:
		_, ok = a.(*wire.InviteIs)
	case *wire.Release:
		_, ok = a.(*wire.ReleaseIs)
	case *wire.Away:
		_, ok = a.(*wire.AwayIs)
	case *wire.Banned:
		_, ok = a.(*wire.BannedAre)
	case *wire.Causal:
		_, ok = a.(*wire.CausalIs)
	case *wire.Peers:
		_, ok = a.(*wire.PeersAre)
	case *wire.Admit:
		_, ok = a.(*wire.AdmitIs)
	case *wire.Stats:
		_, ok = a.(*wire.StatsAre)
	}
	return ok
}

// authorsLocked hands each caller its author, and asks on for those who came too late or were too many.
func (a *asker) authorsLocked(ask *wire.Authors, res result) error {
	a.asking = false
	known := map[uint64]identity.ID{}
	if are, ok := res.record.(*wire.AuthorsAre); ok {
		for _, author := range are.Authors {
			if len(author.ID) != len(identity.ID{}) {
				return fmt.Errorf("%w: a key id of %d bytes", wire.ErrMalformed, len(author.ID))
			}
			known[author.From] = identity.ID(author.ID)
		}
	}
	for _, from := range ask.From {
		each := result{err: res.err}
		if id, ok := known[from]; ok {
			each.author = id
			a.keepLocked(from, id)
		} else if each.err == nil {
			each.err = &RefusedError{Code: chat.NoSuchUser}
		}
		for _, ch := range a.wanted[from] {
			ch <- each
		}
		delete(a.wanted, from)
	}
	if len(a.wanted) > 0 {
		a.askAuthorsLocked()
	}
	return nil
}

func (a *asker) keepLocked(from uint64, id identity.ID) {
	if len(a.cache) >= maxCached {
		clear(a.cache)
	}
	a.cache[from] = id
}

func (a *asker) askAuthorsLocked() {
	if !a.asking {
		a.asking = true
		a.waiting = append(a.waiting, &question{record: &wire.Authors{}})
	}
}

// keep says what is known without asking.
func (a *asker) keep(from uint64, id identity.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepLocked(from, id)
}

// meet says which store will answer. When it is another, its numbers mean other people: what was known is forgotten, and who waits is told
// that there is no answer.
func (a *asker) meet(epoch uint64, node identity.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.node = node
	if a.epoch == epoch {
		return
	}
	if a.met {
		clear(a.cache)
		for _, list := range a.wanted {
			for _, ch := range list {
				ch <- result{err: &RefusedError{Code: chat.NoSuchUser}}
			}
		}
		clear(a.wanted)
	}
	a.met, a.epoch = true, epoch
}

// add puts a question behind those that wait. Its answer comes when it does.
func (a *asker) add(r wire.Record) *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := &question{record: r, answer: make(chan result, 1)}
	if a.closed {
		q.answer <- result{err: ErrClosed}
	} else {
		a.waiting = append(a.waiting, q)
	}
	return q
}

// vouch says whose a number has proved to be, and reports false where that is known to be otherwise.
func (a *asker) vouch(from uint64, id identity.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.cache[from]; ok && known != id {
		return false
	}
	a.keepLocked(from, id)
	return true
}

// unlink has the question that was asked on a lost link asked again, behind that which says that the user is away still.
func (a *asker) unlink() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.full = false, false
	if a.away != nil && !a.closed && (len(a.waiting) == 0 || a.waiting[0].record != a.away) {
		a.waiting = slices.Insert(a.waiting, 0, &question{record: a.away, answer: make(chan result, 1)}) // nobody waits for it
	}
}

// fill says whether the node has no room for messages now.
func (a *asker) fill(full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.full = full
}

func (a *asker) isFull() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.full
}

// close answers ErrClosed to everybody, now and later.
func (a *asker) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, q := range a.waiting {
		if q.answer != nil && !q.gone {
			q.answer <- result{err: ErrClosed}
		}
	}
	for _, list := range a.wanted {
		for _, ch := range list {
			ch <- result{err: ErrClosed}
		}
	}
	a.waiting, a.wanted, a.asked = nil, nil, false
}

// settled waits until all that the user did before is answered, so that a question finds it done. It does not wait for what a node without
// room has sent back: reading goes on there.
func (c *Client) settled(ctx context.Context) error {
	c.mu.Lock()
	var last *entry
	if n := len(c.outbox.entries); n > 0 {
		last = c.outbox.entries[n-1]
	}
	for last != nil && slices.Contains(c.outbox.entries, last) && !c.asker.isFull() {
		space := c.space
		c.mu.Unlock()
		select {
		case <-space:
		case <-c.over:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
	}
	c.mu.Unlock()
	return nil
}

// ask puts a question and waits for its answer.
func (c *Client) ask(ctx context.Context, r wire.Record) (wire.Record, error) {
	res, err := c.put(ctx, r)
	return res.record, err
}

// put is ask, and tells which store has answered.
func (c *Client) put(ctx context.Context, r wire.Record) (result, error) {
	if _, err := wire.Append(nil, r); err != nil {
		return result{}, &RefusedError{Code: chat.TooLong}
	}
	if err := c.settled(ctx); err != nil {
		return result{}, err
	}
	q := c.asker.add(r)
	c.poke()
	select {
	case res := <-q.answer:
		return res, res.err
	case <-ctx.Done():
		c.asker.mu.Lock()
		q.gone = true
		c.asker.mu.Unlock()
		return result{}, ctx.Err()
	}
}

// Names returns who is in a room and how many they are, which is more than are listed in a very large room. It returns a *RefusedError
// when the node does not tell, ErrClosed after the end, and ctx's error when that ends first; it waits while there is no link.
func (c *Client) Names(ctx context.Context, room string) (list []Person, total int, err error) {
	if code := checkRoom(room); code != chat.OK {
		return nil, 0, &RefusedError{Code: code}
	}
	after := ""
	for {
		r, err := c.ask(ctx, &wire.Names{Room: room, After: after})
		if err != nil {
			return nil, 0, err
		}
		page := r.(*wire.NamesAre)
		found, err := people(page.People, page.Away)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, found...)
		total = int(min(page.Total, 1<<31-1))
		if !page.More || len(found) == 0 || found[len(found)-1].Name == after || len(list) >= maxListed {
			return list, total, nil
		}
		after = found[len(found)-1].Name
	}
}

// Whois returns what the node tells about a person, by name or key id. Errors are as those of Names.
func (c *Client) Whois(ctx context.Context, who string) (Info, error) {
	if !utf8.ValidString(who) {
		return Info{}, &RefusedError{Code: chat.NoSuchUser}
	}
	r, err := c.ask(ctx, &wire.Whois{Who: who})
	if err != nil {
		return Info{}, err
	}
	is := r.(*wire.WhoisIs)
	found, err := people([]wire.Person{is.Person}, nil)
	if err != nil {
		return Info{}, err
	}
	info := Info{Person: found[0], Sessions: int(min(is.Sessions, 1<<31-1)), Rooms: is.Rooms, Via: is.Via}
	if is.Since > 0 {
		info.Since = time.UnixMilli(is.Since)
	}
	if is.AwaySince != 0 {
		info.Away, info.AwayText, info.AwaySince = true, is.Away, time.UnixMilli(is.AwaySince)
	}
	return info, nil
}

// List returns the node's rooms in the order of their names. Errors are as those of Names.
func (c *Client) List(ctx context.Context) (list []RoomInfo, err error) {
	after := ""
	for {
		r, err := c.ask(ctx, &wire.List{After: after})
		if err != nil {
			return nil, err
		}
		page := r.(*wire.ListIs)
		for _, room := range page.Rooms {
			list = append(list, RoomInfo{Name: room.Name, Members: int(min(room.Members, 1<<31-1)), Head: room.Head, Topic: room.Topic})
		}
		last := len(page.Rooms) - 1
		if !page.More || last < 0 || page.Rooms[last].Name == after || len(list) >= maxListed {
			return list, nil
		}
		after = page.Rooms[last].Name
	}
}

// Author returns the key behind Message.From. Answers are kept, and questions that wait for the link are put as one. It returns a
// *RefusedError with chat.NoSuchUser for a number that the node does not know; other errors are as those of Names.
func (c *Client) Author(ctx context.Context, from uint64) (identity.ID, error) {
	a := c.asker
	ch := make(chan result, 1)
	if id, err, now := a.want(from, ch); now {
		return id, err
	}
	c.poke()
	select {
	case res := <-ch:
		return res.author, res.err
	case <-ctx.Done():
		a.unwant(from, ch)
		return identity.ID{}, ctx.Err()
	}
}

// want returns what can be said about a number now, or has ch told later.
func (a *asker) want(from uint64, ch chan result) (id identity.ID, err error, now bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wantLocked(from, ch)
}

func (a *asker) wantLocked(from uint64, ch chan result) (id identity.ID, err error, now bool) {
	if id, ok := a.cache[from]; ok {
		return id, nil, true
	}
	if a.closed {
		return identity.ID{}, ErrClosed, true
	}
	a.wanted[from] = append(a.wanted[from], ch)
	a.askAuthorsLocked()
	return identity.ID{}, nil, false
}

// wantAll returns what is known of some numbers, and where each of the others is told. They are wanted at one moment: a question that is made
// meanwhile asks for all of them or for none.
func (a *asker) wantAll(numbers []uint64) (known map[uint64]identity.ID, waiting map[uint64]chan result) {
	known, waiting = map[uint64]identity.ID{}, map[uint64]chan result{}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, from := range numbers {
		if waiting[from] != nil {
			continue
		}
		ch := make(chan result, 1)
		id, err, now := a.wantLocked(from, ch)
		switch {
		case !now:
			waiting[from] = ch
		case err == nil:
			known[from] = id
		}
	}
	return known, waiting
}

// unwant takes a caller that has gone off the list.
func (a *asker) unwant(from uint64, ch chan result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.wanted[from]
	for i := range list {
		if list[i] == ch {
			a.wanted[from] = append(list[:i:i], list[i+1:]...)
		}
	}
	if len(a.wanted[from]) == 0 {
		delete(a.wanted, from)
	}
}

// Banned returns who is banned from a room, for its moderators, in the order of their key ids. Errors are as those of Names.
func (c *Client) Banned(ctx context.Context, room string) (list []Ban, err error) {
	if code := checkRoom(room); code != chat.OK {
		return nil, &RefusedError{Code: code}
	}
	after := []byte{}
	for {
		r, err := c.ask(ctx, &wire.Banned{Room: room, After: after})
		if err != nil {
			return nil, err
		}
		page := r.(*wire.BannedAre)
		for i := range page.Bans {
			ban, err := banOf(&page.Bans[i])
			if err != nil {
				return nil, err
			}
			list = append(list, ban)
		}
		if !page.More || len(page.Bans) == 0 || len(list) >= maxListed || bytes.Compare(page.Bans[len(page.Bans)-1].Who.ID, after) <= 0 {
			return list, nil
		}
		after = page.Bans[len(page.Bans)-1].Who.ID
	}
}

// banOf returns a ban as the node tells it.
func banOf(b *wire.Ban) (Ban, error) {
	both, err := people([]wire.Person{b.Who, b.By}, nil)
	if err != nil {
		return Ban{}, err
	}
	ban := Ban{Who: both[0], By: both[1], Since: time.UnixMilli(b.Since), Text: b.Text}
	if b.Until != 0 {
		ban.Until = time.UnixMilli(b.Until)
	}
	return ban, nil
}
