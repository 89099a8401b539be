package store

import (
	"cmp"
	"context"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// Merged is an entry as every node that has it knows it: nothing of it is this store's own.
type Merged struct {
	*wire.Entry
	ID   wire.EntryID
	Log  wire.LogID
	Node identity.ID // whose log it is
	Room *RoomState
	Gone bool // its text was taken away
	Body []byte
}

// Shared reports whether the store has ever shared its rows with another node, or has begun to.
func (a *Archive) Shared(ctx context.Context) (bool, error) {
	var s Sharing
	err := loadSharing(ctx, a.conn, &s)
	return s.Shared, a.explain(ctx, err)
}

// Merged calls f for each entry of the given rooms that its node dates at since (milliseconds since the Unix epoch) or later, room by room, each in causal
// order: by lamport, and those of one by their ids. Of those that say the same the first alone is told, those of logs that fork are not. One that can't be
// read is passed over; the first such is returned at the end, as a *Fault. An error of f's ends it and is returned.
func (a *Archive) Merged(ctx context.Context, rooms []RoomState, since int64, progress Progress, f func(Merged) error) error {
	logs := map[uint64]Log{}
	if err := loadLogs(ctx, a.conn, func(l Log) { logs[l.Num] = l }); err != nil {
		return a.explain(ctx, err)
	}
	var fault *Fault
	done, total := int64(0), int64(0)
	for i := range rooms {
		total += int64(rooms[i].Head + 1 - rooms[i].Low)
	}
	for i := range rooms {
		room := &rooms[i]
		err := loadEntries(ctx, a.conn, func(e Entry) error {
			if done%progressEvery == 0 {
				progress(Step{Doing: "exporting", Done: done, Total: total})
			}
			done++
			m, err := mergedOf(room, logs, &e)
			switch {
			case err != nil:
				fault = cmp.Or(fault, &Fault{chat.OneLine(fmt.Sprintf("%s, log %d, entry %d: it can't be read: %v", room.label(), e.Log, e.Seq, err))})
				return nil
			case m.Time < since:
				return nil
			}
			return f(m)
		}, withTexts+causalFirst+causalOrder, int64(room.Num), 0, []byte{}, int64(room.Low), -1)
		if err != nil {
			return a.explain(ctx, err)
		}
	}
	if fault != nil {
		return fault
	}
	return nil
}

// mergedOf returns an entry as other nodes know it.
func mergedOf(room *RoomState, logs map[uint64]Log, e *Entry) (Merged, error) {
	entry, err := wire.DecodeEntry(e.Header)
	if err != nil {
		return Merged{}, err
	}
	l := logs[e.Log]
	name := wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: room.LogName()}
	return Merged{Entry: entry, ID: e.ID, Log: name.ID(), Node: identity.IDOf(l.Key[:]), Room: room, Gone: e.Salt == nil, Body: e.Body}, nil
}
