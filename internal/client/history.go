package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxPages is how many pages one search asks for: a node may have to look at much to find little.
const maxPages = 20

// errPage says that a node answered with rows that were not asked for.
var errPage = errors.New("the node's answer is not what was asked for")

// HistoryQuery asks for the last N messages of a room, at most chat.MaxTail, of those before Before (0: all) and since Since (zero: all).
type HistoryQuery struct {
	Before uint64
	Since  time.Time
	N      int
}

// History returns messages of a room in the order of their Seq, without a hole; room is a room's name, or "@" and the name or the key id of a
// person. They have no Cursor, and nothing that the client knows of the room changes. more says that there are earlier ones, since
// Since. It waits until what was sent before is answered, and while there is no link. It returns a *RefusedError when the node does not
// tell, an error for an answer that can't be true, ErrClosed after the end, and ctx's error when that ends first.
func (c *Client) History(ctx context.Context, room string, q HistoryQuery) (list []Message, more bool, err error) {
	if code := checkRoom(room); code != chat.OK {
		return nil, false, &RefusedError{Code: code}
	}
	n := min(max(q.N, 0), chat.MaxTail)
	ask := wire.History{Room: room, Before: q.Before, Since: sinceMillis(q.Since)}
	h := reading{client: c, numbers: map[uint64]string{}}
	for more = true; more && len(list) < n; {
		ask.N = uint64(n - len(list))
		var page []Message
		if page, more, err = h.back(ctx, &ask); err != nil {
			return nil, false, err
		}
		list = slices.Concat(page, list)
	}
	return list, more && n > 0, nil
}

// maxLocate is how many pages of chat.MaxTail messages Locate looks through: 20,000 messages, and less than a node answers without delay.
const maxLocate = 40

// Locate returns the seq of the message with that id in a room, as an answer names the message that it answers. It asks for pages of the room's
// log, from the last message below before (0: of all) backwards, and calls progress, which may be nil, with the number of messages
// that were looked through after each. It returns an error that wraps ErrNotFound when the message is not among the last 20,000, or is not kept
// any more; others are as those of History.
func (c *Client) Locate(ctx context.Context, room string, id chat.ID, before uint64, progress func(searched int)) (seq uint64, err error) {
	if code := checkRoom(room); code != chat.OK {
		return 0, &RefusedError{Code: code}
	}
	ask := wire.History{Room: room, Before: before, N: chat.MaxTail}
	h := reading{client: c, numbers: map[uint64]string{}}
	searched := 0
	for pages, more := 0, id != (chat.ID{}); more && pages < maxLocate; pages++ {
		var page []Message
		if page, more, err = h.back(ctx, &ask); err != nil {
			return 0, err
		}
		searched += len(page)
		if progress != nil {
			progress(searched)
		}
		if i := slices.IndexFunc(page, func(m Message) bool { return m.ID == id }); i >= 0 {
			return page[i].Seq, nil
		}
	}
	return 0, fmt.Errorf("%w among %d", ErrNotFound, searched)
}

// back asks for a page, and has ask go on with what is before it.
func (h *reading) back(ctx context.Context, ask *wire.History) (page []Message, more bool, err error) {
	question := *ask // the link may keep it for longer than its asker waits
	answer, err := h.ask(ctx, &question)
	if err != nil {
		return nil, false, refine(err, ask.Room)
	}
	is := answer.(*wire.HistoryIs)
	if page, err = h.page(&question, is); err != nil || len(page) == 0 {
		return nil, false, err
	}
	if err := h.client.unsealAll(ctx, page, h.events, false); err != nil {
		return nil, false, err
	}
	ask.Before, h.follows = page[0].Seq, true
	return page, is.More, nil
}

// sinceMillis returns t as a question carries it; a time before all messages is none.
func sinceMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(chat.Millis(t), 0)
}

// refine names the room in a refusal that is about it.
func refine(err error, room string) error {
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == chat.NoSuchRoom && refused.Text == "" {
		return &RefusedError{Code: refused.Code, Text: room, RetryAfter: refused.RetryAfter}
	}
	return err
}

// reading checks the answers of a node against each other: they must come from one log.
type reading struct {
	client  *Client
	met     bool
	epoch   uint64
	numbers map[uint64]string // rooms by number
	last    map[uint64]uint64 // of a search: the lowest seq so far, by number
	follows bool              // a page came before this one
	events  []*wire.Event     // of the last answer
}

// ask puts a question, and returns an error when another store answers it than the ones before.
func (h *reading) ask(ctx context.Context, r wire.Record) (wire.Record, error) {
	res, err := h.client.put(ctx, r)
	if err != nil {
		return nil, err
	}
	if h.met && res.epoch != h.epoch {
		return nil, errRenew
	}
	h.met, h.epoch = true, res.epoch
	return res.record, nil
}

// page returns the messages of an answer to ask.
func (h *reading) page(ask *wire.History, is *wire.HistoryIs) ([]Message, error) {
	if uint64(len(is.Events)) > ask.N {
		return nil, fmt.Errorf("%w: %d messages, and %d were asked for", errPage, len(is.Events), ask.N)
	}
	var list []Message
	h.events = nil
	for _, raw := range is.Events {
		e, err := wire.DecodeEvent(raw)
		if err != nil {
			return nil, err
		}
		if len(h.numbers) == 0 {
			h.numbers[e.Room] = ask.Room
		}
		before := ask.Before
		if len(list) > 0 && e.Seq != list[len(list)-1].Seq+1 {
			return nil, fmt.Errorf("%w: message %d follows message %d", errPage, e.Seq, list[len(list)-1].Seq)
		}
		_, known := h.numbers[e.Room]
		switch {
		case !known:
			return nil, fmt.Errorf("%w: messages of two rooms", errPage)
		case e.Seq == 0 || before > 0 && e.Seq >= before || e.Seq < is.Low || e.Time < ask.Since:
			return nil, fmt.Errorf("%w: message %d", errPage, e.Seq)
		}
		list = append(list, h.message(e))
	}
	switch n := len(list); {
	case n == 0 && is.More:
		return nil, fmt.Errorf("%w: nothing, and more of it", errPage)
	case n > 0 && h.follows && list[n-1].Seq != ask.Before-1:
		return nil, fmt.Errorf("%w: message %d is missing", errPage, ask.Before-1)
	}
	return list, nil
}

// message returns an event of an answer as a message.
func (h *reading) message(e *wire.Event) Message {
	c := h.client
	h.events = append(h.events, e)
	c.mu.Lock()
	own, redacted := c.isOwnLocked(e.From) && c.epoch == h.epoch, c.redacted.known[e.ID]
	c.mu.Unlock()
	room := h.numbers[e.Room]
	m := Message{
		Room: room, Seq: e.Seq, ID: e.ID, Epoch: h.epoch, From: e.From, Name: e.Name, Kind: e.Kind, Time: time.UnixMilli(e.Time), Text: string(e.Body),
		Own: own,
	}
	if to, direct := strings.CutPrefix(room, chat.DirectMark); direct {
		m.To = to
	}
	m.late(e)
	m.removed(e, redacted)
	return m
}

// SearchQuery asks for messages by the words in them.
type SearchQuery struct {
	Words  string // each has to occur, or begin a word that does; at most chat.MaxQuery bytes
	Room   string // as in History; empty: every room, and of the user's own conversations what is not sealed
	From   string // the name that the author had; empty: anyone
	Before uint64 // Found.Next of the search before, of the same Room; 0: begin with the newest
	N      int    // at most chat.MaxHits
}

// Found is what a search found.
type Found struct {
	Hits   []Message // the newest first, without a Cursor
	Next   uint64    // what SearchQuery.Before goes on from, a number of the node's; 0: that was all
	Behind uint64    // messages that are kept and can't be found yet
}

// Search returns messages that have all the words. There may be fewer than were asked for, and more to come. Errors are as those of
// History.
func (c *Client) Search(ctx context.Context, q SearchQuery) (found Found, err error) {
	code := chat.OK
	if q.Room != "" {
		code = checkRoom(q.Room)
	}
	if len(q.Words) > chat.MaxQuery || len(q.From) > chat.MaxQuery || len(chat.QueryTerms(q.Words)) == 0 && q.From == "" {
		code = chat.BadQuery
	}
	if code != chat.OK {
		return Found{}, &RefusedError{Code: code}
	}
	if strings.HasPrefix(q.Room, chat.DirectMark) {
		return c.searchOwn(ctx, q)
	}
	n := min(max(q.N, 0), chat.MaxHits)
	h := reading{client: c, numbers: map[uint64]string{}, last: map[uint64]uint64{}}
	found.Next = q.Before
	for pages := 0; len(found.Hits) < n && pages < maxPages; pages++ {
		ask := &wire.Search{Words: q.Words, Room: q.Room, From: q.From, Before: found.Next, N: uint64(n - len(found.Hits))}
		answer, err := h.ask(ctx, ask)
		if err != nil {
			return Found{}, refine(err, q.Room)
		}
		is := answer.(*wire.SearchIs)
		hits, err := h.hits(ask, is)
		if err == nil {
			err = c.unsealAll(ctx, hits, h.events, true)
		}
		if err != nil {
			return Found{}, err
		}
		found.Hits = append(found.Hits, hits...)
		found.Next, found.Behind = is.Next, is.Behind
		if is.Next == 0 {
			break
		}
	}
	return found, nil
}

// maxOwnPages is how many pages of chat.MaxTail messages one search of a conversation looks through.
const maxOwnPages = 10

// searchOwn is Search in a conversation: what is sealed there the node can't find, so all of it is asked for and looked through here. Found.Next is the seq
// of a message, before which there is more.
func (c *Client) searchOwn(ctx context.Context, q SearchQuery) (found Found, err error) {
	n, terms, from := min(max(q.N, 0), chat.MaxHits), chat.QueryTerms(q.Words), chat.Fold(q.From)
	ask := wire.History{Room: q.Room, Before: q.Before, N: chat.MaxTail}
	h := reading{client: c, numbers: map[uint64]string{}}
	more := n > 0
	for pages := 0; more && pages < maxOwnPages && len(found.Hits) < n; pages++ {
		var page []Message
		if page, more, err = h.back(ctx, &ask); err != nil {
			return Found{}, err
		}
		for i, m := range slices.Backward(page) {
			if (from == "" || chat.Fold(m.Name) == from) && chat.MatchWords(chat.Words(m.Text), terms) && len(found.Hits) < n {
				found.Hits = append(found.Hits, m)
				more = more || i > 0 && len(found.Hits) == n
				ask.Before = m.Seq
			}
		}
		if len(found.Hits) < n && len(page) > 0 {
			ask.Before = page[0].Seq
		}
	}
	if more {
		found.Next = ask.Before
	}
	return found, nil
}

// hits returns the messages of an answer to ask.
func (h *reading) hits(ask *wire.Search, is *wire.SearchIs) ([]Message, error) {
	if uint64(len(is.Events)) > ask.N {
		return nil, fmt.Errorf("%w: %d messages, and %d were asked for", errPage, len(is.Events), ask.N)
	}
	for _, r := range is.Rooms {
		if checkRoom(r.Name) != chat.OK || ask.Room != "" && r.Name != ask.Room {
			return nil, fmt.Errorf("%w: room %q", errPage, r.Name)
		}
		h.numbers[r.Room] = r.Name
	}
	var list []Message
	h.events = nil
	for _, raw := range is.Events {
		e, err := wire.DecodeEvent(raw)
		if err != nil {
			return nil, err
		}
		last, met := h.last[e.Room]
		if _, known := h.numbers[e.Room]; !known || e.Seq == 0 || met && e.Seq >= last {
			return nil, fmt.Errorf("%w: message %d of room number %d", errPage, e.Seq, e.Room)
		}
		h.last[e.Room] = e.Seq
		list = append(list, h.message(e))
	}
	return list, nil
}

// Keep says how long a room's messages are kept. Unless it is Set the node decides; a zero bound is none.
type Keep struct {
	Set  bool
	Age  time.Duration
	Size int64 // bytes
}

// Keep returns how long the messages of a room are kept. Errors are as those of History.
func (c *Client) Keep(ctx context.Context, room string) (Keep, error) {
	return c.keep(ctx, &wire.Keep{Room: room})
}

// SetKeep changes how long the messages of a room are kept, and returns what holds then. Who may not gets a *RefusedError with chat.Denied.
func (c *Client) SetKeep(ctx context.Context, room string, k Keep) (Keep, error) {
	ask := &wire.Keep{Room: room, Mode: wire.KeepDefault}
	if k.Set {
		ask.Mode, ask.AgeMS, ask.Size = wire.KeepBounds, uint64(max(k.Age, 0).Milliseconds()), uint64(max(k.Size, 0))
	}
	return c.keep(ctx, ask)
}

func (c *Client) keep(ctx context.Context, ask *wire.Keep) (Keep, error) {
	if code := checkRoom(ask.Room); code != chat.OK {
		return Keep{}, &RefusedError{Code: code}
	}
	answer, err := c.ask(ctx, ask)
	if err != nil {
		return Keep{}, refine(err, ask.Room)
	}
	is := answer.(*wire.KeepIs)
	if !is.Set {
		return Keep{}, nil
	}
	age := min(is.AgeMS, uint64(math.MaxInt64/time.Millisecond))
	return Keep{Set: true, Age: time.Duration(age) * time.Millisecond, Size: int64(min(is.Size, math.MaxInt64))}, nil
}

// Authors returns the keys behind some Message.From, as far as the node tells them before ctx ends; questions are put together.
func (c *Client) Authors(ctx context.Context, from []uint64) map[uint64]identity.ID {
	known, waiting := c.asker.wantAll(from)
	c.poke()
	for number, ch := range waiting {
		select {
		case res := <-ch:
			if res.err == nil {
				known[number] = res.author
			}
		case <-ctx.Done():
			c.asker.unwant(number, ch)
		}
	}
	return known
}
