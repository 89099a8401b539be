package oracle

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"chatnode/internal/chat"
)

// tale is a legal history and its log, for a mutation to make untrue.
type tale struct {
	*History
	log Log
	rng *rand.Rand
}

// pick returns the index of an event that match takes, one of them at random; -1 when there is none.
func (t *tale) pick(match func(i int, e *event) bool) int {
	var all []int
	for i := range t.events {
		if match(i, &t.events[i]) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return -1
	}
	return all[t.rng.IntN(len(all))]
}

// cut removes events.
func (t *tale) cut(match func(i int, e *event) bool) {
	kept := t.events[:0:0]
	at := make([]int, len(t.events)+1)
	for i := range t.events {
		at[i] = len(kept)
		if !match(i, &t.events[i]) {
			kept = append(kept, t.events[i])
		}
	}
	at[len(t.events)] = len(kept)
	for i := range t.rollbacks {
		t.rollbacks[i].at = at[t.rollbacks[i].at]
	}
	t.events = kept
}

// put inserts events before the one at i.
func (t *tale) put(i int, events ...event) {
	t.events = slices.Insert(t.events, i, events...)
	for n := range t.rollbacks {
		if t.rollbacks[n].at > i {
			t.rollbacks[n].at += len(events)
		}
	}
}

// next returns the index of the next event of a client in a room, of those that its view depends on; -1 when there is none.
func (t *tale) next(i int) int {
	e := t.events[i]
	for j := i + 1; j < len(t.events); j++ {
		o := &t.events[j]
		switch o.action {
		case shown, joined, gap, reset, settled:
			if o.client == e.client && (o.room == e.room || o.room == "") {
				return j
			}
		}
	}
	return -1
}

// follows reports whether the next event of a client in a room is that.
func (t *tale) follows(i int, a action) bool {
	j := t.next(i)
	return j >= 0 && t.events[j].action == a
}

// find returns a message's row in the log.
func (t *tale) find(text string) *Row {
	for _, rows := range t.log.Rooms {
		if i := slices.IndexFunc(rows, func(r Row) bool { return r.Text == text }); i >= 0 {
			return &rows[i]
		}
	}
	return nil
}

// message returns the index of the event that sent what an answer is for.
func (t *tale) message(answer *event) int {
	return slices.IndexFunc(t.events, func(e event) bool { return e.action == invoked && e.client == answer.client && e.n == answer.n })
}

// room returns a room with so many rows at least.
func (t *tale) room(rows int) string {
	for _, name := range slices.Sorted(maps.Keys(t.log.Rooms)) {
		if len(t.log.Rooms[name]) >= rows {
			return name
		}
	}
	return ""
}

// mutation makes a tale untrue; it reports false when the tale offers nothing to do it to.
type mutation struct {
	rule string
	plan simPlan
	do   func(t *tale) bool
}

// on is a mutation of one event of a kind, for which match holds.
func on(a action, match func(t *tale, i int, e *event) bool, do func(t *tale, i int)) func(*tale) bool {
	return func(t *tale) bool {
		i := t.pick(func(i int, e *event) bool { return e.action == a && match(t, i, e) })
		if i >= 0 {
			do(t, i)
		}
		return i >= 0
	}
}

// stays reports whether the client of an event is there to the end.
func (t *tale) stays(_ int, e *event) bool {
	return !slices.ContainsFunc(t.events, func(o event) bool { return o.action == left && o.client == e.client })
}

func anyOne(*tale, int, *event) bool { return true }

func remove(t *tale, i int) { t.cut(func(j int, _ *event) bool { return j == i }) }

// TestCheckFindsMutations makes legal histories untrue, one step at a time, and sees each found by its rule.
func TestCheckFindsMutations(t *testing.T) {
	const seeds = 40
	for name, m := range mutations() {
		t.Run(name, func(t *testing.T) {
			done := 0
			for seed := range uint64(seeds) {
				s := newSim(seed)
				told := &tale{History: &s.history, log: s.run(m.plan), rng: s.rng}
				if !m.do(told) {
					continue
				}
				done++
				if err := told.Check(told.log); !found(err, m.rule) {
					t.Fatalf("seed %d: Check found %v, want a violation of %q", seed, err, m.rule)
				}
			}
			if done < seeds/4 {
				t.Errorf("only %d of %d histories could be mutated", done, seeds)
			}
		})
	}
}

func found(err error, rule string) bool {
	many, ok := err.(interface{ Unwrap() []error })
	return ok && slices.ContainsFunc(many.Unwrap(), func(err error) bool {
		v, ok := err.(*Violation)
		return ok && v.Rule == rule
	})
}

func mutations() map[string]mutation {
	all := map[string]mutation{}
	for _, some := range []map[string]mutation{logMutations(), shownMutations(), answerMutations(), resetMutations()} {
		for name, m := range some {
			all[name] = m
		}
	}
	return all
}

var calm = simPlan{steps: 400}

func logMutations() map[string]mutation {
	// inLog is a mutation of a room's rows, of which there have to be three.
	inLog := func(do func(t *tale, rows []Row) []Row) func(*tale) bool {
		return func(t *tale) bool {
			room := t.room(3)
			if room != "" {
				t.log.Rooms[room] = do(t, t.log.Rooms[room])
			}
			return room != ""
		}
	}
	dropLast := inLog(func(_ *tale, rows []Row) []Row { return rows[:len(rows)-1] })
	return map[string]mutation{
		"a row dropped":      {Contiguous, calm, inLog(func(_ *tale, rows []Row) []Row { return slices.Delete(rows, 1, 2) })},
		"the first dropped":  {Contiguous, calm, inLog(func(_ *tale, rows []Row) []Row { return rows[1:] })},
		"the last dropped":   {Durable, calm, dropLast},
		"the last forgotten": {Kept, calm, dropLast},
		"a row twice": {Once, calm, inLog(func(_ *tale, rows []Row) []Row {
			return append(rows, Row{Seq: rows[len(rows)-1].Seq + 1, Text: rows[0].Text})
		})},
		"a row nobody sent":   {Once, calm, inLog(func(t *tale, rows []Row) []Row { rows[t.rng.IntN(len(rows))].Text = "ghost"; return rows })},
		"a text nobody knows": {OneText, calm, inLog(func(t *tale, rows []Row) []Row { rows[t.rng.IntN(len(rows))].Text = "ghost"; return rows })},
		"two rows swapped": {OneText, calm, inLog(func(t *tale, rows []Row) []Row {
			i := t.rng.IntN(len(rows) - 1)
			rows[i].Text, rows[i+1].Text = rows[i+1].Text, rows[i].Text
			return rows
		})},
		"one author's rows swapped":                 {AuthorOrder, calm, swapAuthor},
		"a message sent after a later one was kept": {RealTime, calm, moveBack},
		"a measure above its bound": {Bounded, calm, func(t *tale) bool {
			t.measures[0].value = t.measures[0].bound + 1
			return true
		}},
	}
}

// swapAuthor lets two messages of one client change places in a room.
func swapAuthor(t *tale) bool {
	before := func(i int, e *event) *Row { // the row of what the client sent to the room before
		for _, o := range t.events[:i] {
			if row := t.find(o.row.Text); o.action == invoked && o.client == e.client && o.room == e.room && row != nil {
				return row
			}
		}
		return nil
	}
	i := t.pick(func(i int, e *event) bool {
		return e.action == invoked && t.find(e.row.Text) != nil && before(i, e) != nil
	})
	if i < 0 {
		return false
	}
	first, second := before(i, &t.events[i]), t.find(t.events[i].row.Text)
	first.Text, second.Text = second.Text, first.Text
	return true
}

// moveBack lets a message of one client be sent and acknowledged just before another client sends what stands before it.
func moveBack(t *tale) bool {
	room := t.room(2)
	if room == "" {
		return false
	}
	rows := t.log.Rooms[room]
	for n := range len(rows) - 1 {
		sender := func(text string) int {
			return slices.IndexFunc(t.events, func(e event) bool { return e.action == invoked && e.row.Text == text })
		}
		a, b := sender(rows[n].Text), sender(rows[n+1].Text)
		from, to := t.events[b], t.events[a]
		isAck := func(_ int, e *event) bool { return e.action == acked && e.client == from.client && e.n == from.n }
		ack := t.pick(isAck)
		if from.client == to.client || b < a || ack < 0 {
			continue
		}
		answer := t.events[ack]
		t.cut(func(i int, e *event) bool { return i == b || isAck(i, e) })
		t.put(a, from, answer)
		return true
	}
	return false
}

func shownMutations() map[string]mutation {
	thenShown := func(t *tale, i int, _ *event) bool { return t.follows(i, shown) }
	return map[string]mutation{
		"a row not shown": {Contiguous, calm, on(shown, func(t *tale, i int, e *event) bool {
			return t.follows(i, shown) && slices.ContainsFunc(t.events[:i], func(o event) bool {
				return o.action == shown && o.client == e.client && o.room == e.room && t.events[i].row.Seq == o.row.Seq+1
			}) && !slices.ContainsFunc(t.events, func(o event) bool { return o.action == joined && o.client == e.client })
		}, remove)},
		"the last not shown": {Converges, calm, on(shown, func(t *tale, i int, _ *event) bool { return t.follows(i, settled) }, remove)},
		"shown twice":        {Contiguous, calm, on(shown, anyOne, func(t *tale, i int) { t.put(i, t.events[i]) })},
		"shown in turns": {Contiguous, calm, on(shown, thenShown, func(t *tale, i int) {
			j := t.next(i)
			t.events[i].row, t.events[j].row = t.events[j].row, t.events[i].row
		})},
		"a ghost shown":      {Once, calm, on(shown, anyOne, func(t *tale, i int) { t.events[i].row.Text = "ghost" })},
		"another id shown":   {OneText, calm, on(shown, anyOne, func(t *tale, i int) { t.events[i].row.ID[0]++ })},
		"another text shown": {OneText, calm, on(shown, thenShown, func(t *tale, i int) { t.events[i].row.Text = t.events[t.next(i)].row.Text })},
		"shown before sent": {Once, calm, func(t *tale) bool {
			i := t.pick(func(_ int, e *event) bool { return e.action == shown })
			if i < 0 {
				return false
			}
			text := t.events[i].row.Text
			at := slices.IndexFunc(t.events, func(e event) bool { return e.action == invoked && e.row.Text == text })
			e := t.events[at]
			remove(t, at)
			t.put(len(t.events), e)
			return true
		}},
		"a gap hidden": {Contiguous, simPlan{steps: 800, trims: true}, on(gap, func(t *tale, i int, e *event) bool {
			before := t.pick(func(j int, o *event) bool {
				return j < i && o.action == shown && o.client == e.client && o.room == e.room && t.next(j) == i
			})
			return before >= 0 && t.follows(i, shown)
		}, remove)},
	}
}

func answerMutations() map[string]mutation {
	return map[string]mutation{
		"an answer lost": {Converges, calm, on(acked, (*tale).stays, func(t *tale, i int) {
			lost := t.events[i]
			t.cut(func(_ int, e *event) bool { return e.action == acked && e.client == lost.client && e.n == lost.n })
		})},
		"a refusal lost":          {Converges, calm, on(refused, (*tale).stays, remove)},
		"acknowledged as another": {Kept, calm, on(acked, anyOne, func(t *tale, i int) { t.events[i].row.Seq += 1000 })},
		"acknowledged with other id": {Kept, calm, on(acked, func(_ *tale, _ int, e *event) bool { return e.row.Seq > 0 },
			func(t *tale, i int) { t.events[i].row.ID[0]++ })},
		"a refusal of what is kept": {NeverKept, calm, on(acked, anyOne,
			func(t *tale, i int) { t.events[i].action, t.events[i].code = refused, chat.Empty })},
		"acknowledged and refused": {Kept, calm, on(refused, anyOne, func(t *tale, i int) { t.events[i].action = acked })},
		"answered and never sent":  {Misuse, calm, on(acked, anyOne, func(t *tale, i int) { remove(t, t.message(&t.events[i])) })},
	}
}

// gone reports whether an event told of a row that the log does not have.
func (t *tale) gone(e *event) bool {
	text := e.row.Text
	switch e.action {
	case acked:
		text = t.events[t.message(e)].row.Text
	case shown:
	default:
		return false
	}
	return t.find(text) == nil
}

// hide removes all resets that a client was told after the event at i.
func hide(t *tale, i int) {
	client := t.events[i].client
	t.cut(func(j int, e *event) bool { return j > i && e.action == reset && e.client == client })
}

func resetMutations() map[string]mutation {
	turned, renewed := simPlan{steps: 600, rollbacks: true}, simPlan{steps: 800, renewal: true}
	told := func(t *tale, i int, e *event) bool {
		return t.gone(e) && t.stays(i, e) && slices.ContainsFunc(t.events[i:], func(o event) bool { return o.action == reset && o.client == e.client })
	}
	noRollback := func(t *tale, _ int) { t.rollbacks = nil }
	return map[string]mutation{
		"a reset hidden from a reader":  {Visible, turned, on(shown, told, hide)},
		"a reset hidden from a sender":  {Visible, turned, on(acked, told, hide)},
		"a rollback unsaid to a reader": {Durable, turned, on(shown, told, func(t *tale, i int) { t.rollbacks = nil; t.beyond(i) })},
		"a rollback unsaid to a sender": {Kept, turned, on(acked, told, noRollback)},
		"a copy that held what is gone": {Kept, turned, on(acked, told,
			func(t *tale, _ int) { t.rollbacks = []rollback{{t.rollbacks[0].at, t.full()}} })},
		"a reset of a new epoch hidden":    {Visible, renewed, on(acked, told, hide)},
		"a new epoch hidden from a reader": {Contiguous, renewed, on(shown, (*tale).renewed, hide)},
	}
}

// beyond lets the log end before the row of the event at i, so that nothing stands in its place.
func (t *tale) beyond(i int) {
	e := t.events[i]
	rows := t.log.Rooms[e.room]
	t.log.Rooms[e.room] = rows[:min(uint64(len(rows)), e.row.Seq-1)]
}

// full returns heads of a copy that holds more than any room has.
func (t *tale) full() map[string]uint64 {
	heads := map[string]uint64{}
	for room := range t.log.Rooms {
		heads[room] = 1 << 40
	}
	return heads
}

// renewed reports whether the client of an event was shown rows of the room under another epoch later.
func (t *tale) renewed(i int, e *event) bool {
	return slices.ContainsFunc(t.events[i:], func(o event) bool {
		return o.action == shown && o.client == e.client && o.room == e.room && o.epoch != e.epoch
	}) && !slices.ContainsFunc(t.events, func(o event) bool { return o.action == joined && o.client == e.client })
}
