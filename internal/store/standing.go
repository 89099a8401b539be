package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"chatnode/internal/chat"
)

// Bits of a room's flags, as they stand in a store.
const (
	flagReadOnly = 1 << iota
	flagArchived
	flagPrivate
	allFlags = 1<<iota - 1
)

// flagsOf returns those of the rules that are set or not, as bits.
func flagsOf(r *Rules) (flags int64) {
	for bit, set := range map[int64]bool{flagReadOnly: r.ReadOnly, flagArchived: r.Archived, flagPrivate: r.Private} {
		if set {
			flags |= bit
		}
	}
	return flags
}

// none reports whether nothing has been set.
func (r *Rules) none() bool {
	return flagsOf(r) == 0 && r.Open == 0 && r.Slow == 0 && r.Welcome == "" && len(r.Pins) == 0
}

// pinsOf returns the pinned messages as a store keeps them.
func pinsOf(pins []chat.ID) (b []byte) {
	for i := range pins {
		b = append(b, pins[i][:]...)
	}
	return b
}

// rulesOf fills in the rules of a room from what a store keeps; slow and welcome are as they are.
func rulesOf(r *Rules, flags, open int64, pins []byte) error {
	const size = len(chat.ID{})
	if flags&^allFlags != 0 || len(pins)%size != 0 || len(pins) > size*chat.MaxPins || r.Slow < 0 || open < 0 {
		return fmt.Errorf("%w (flags %d, slow %d and %d bytes of pins)", ErrDamaged, flags, r.Slow, len(pins))
	}
	r.Open = uint64(open)
	r.ReadOnly, r.Archived, r.Private = flags&flagReadOnly != 0, flags&flagArchived != 0, flags&flagPrivate != 0
	for ; len(pins) > 0; pins = pins[size:] {
		r.Pins = append(r.Pins, chat.ID(pins))
	}
	return nil
}

func (w *writer) writeStanding(s *Standing) (err error) {
	if s.Gone {
		_, err = w.forgetStanding.Exec(int64(s.Room), s.Key[:], s.Stance)
	} else {
		_, err = w.standing.Exec(int64(s.Room), s.Key[:], s.Stance, s.Since, s.Until, s.By[:], s.Text, int64(s.From))
	}
	return err
}

func (w *writer) writeBar(b *Bar) (err error) {
	if b.Gone {
		_, err = w.forgetBar.Exec(int64(b.Room), b.Network.AsSlice(), b.Key[:])
	} else {
		_, err = w.bar.Exec(int64(b.Room), b.Network.AsSlice(), b.Key[:], b.Until)
	}
	return err
}

// loadStandings reads what keys are to rooms, in the order of rooms, keys and stances.
func loadStandings(ctx context.Context, db querier, found func(Standing)) error {
	return each(ctx, db, "SELECT room, key, stance, since, until, by, text, start FROM standing ORDER BY room, key, stance", func(scan scan) error {
		var s Standing
		var key, by []byte
		if err := scan(&s.Room, &key, &s.Stance, &s.Since, &s.Until, &by, &s.Text, &s.From); err != nil {
			return err
		}
		if err := errors.Join(fillWhole(s.Key[:], key), fillWhole(s.By[:], by)); err != nil {
			return fmt.Errorf("standing of %x in room %d: %w", key, s.Room, err)
		}
		found(s)
		return nil
	})
}

// loadBars reads which networks are kept out of rooms, in the order of rooms, networks and keys.
func loadBars(ctx context.Context, db querier, found func(Bar)) error {
	return each(ctx, db, "SELECT room, network, key, until FROM bar ORDER BY room, network, key", func(scan scan) error {
		var b Bar
		var network, key []byte
		if err := scan(&b.Room, &network, &key, &b.Until); err != nil {
			return err
		}
		err := fillWhole(b.Key[:], key)
		var ok bool
		if b.Network, ok = netip.AddrFromSlice(network); !ok && err == nil {
			err = fmt.Errorf("%w (an address of %d bytes)", ErrDamaged, len(network))
		}
		if err != nil {
			return fmt.Errorf("network kept out of room %d: %w", b.Room, err)
		}
		found(b)
		return nil
	})
}
