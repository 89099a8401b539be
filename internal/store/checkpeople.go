package store

import (
	"cmp"
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// maxNameBytes is more than the longest name with the longest suffix takes.
const maxNameBytes = 4*chat.MaxName + len(chat.SuffixMark) + 64

// people looks at who has joined. Which names look alike is not asked: that changes with Unicode, and a node settles it at its start.
func (c *checker) people(ctx context.Context) error {
	folded := map[string]string{}
	return each(ctx, c.archive.conn, "SELECT key, name, since, seen, inviter, seal FROM person", func(scan scan) error {
		var key, inviter, seal []byte
		var name sql.NullString
		var since, seen int64
		if err := scan(&key, &name, &since, &seen, &inviter, &seal); err != nil {
			return err
		}
		switch {
		case len(key) != len(identity.ID{}) || identity.ID(key).IsZero():
			return faultf("a person has the key %x, which is none", key)
		case name.Valid && (name.String == "" || len(name.String) > maxNameBytes || !utf8.ValidString(name.String)):
			return faultf("person %v: %.100q is no name", identity.ID(key), name.String)
		case since < 0 || seen < 0:
			return faultf("person %v: it can't have joined at %d or been seen at %d", identity.ID(key), since, seen)
		case inviter != nil && len(inviter) != len(identity.ID{}):
			return faultf("person %v: the key of its inviter has %d bytes", identity.ID(key), len(inviter))
		case seal != nil && len(seal) != SealLen:
			return faultf("person %v: its sealing key has %d bytes", identity.ID(key), len(seal))
		case !name.Valid:
			return nil
		}
		fold := chat.Fold(name.String)
		if other, taken := folded[fold]; taken {
			return faultf("the names %q and %q are the same", other, name.String)
		}
		folded[fold] = name.String
		return nil
	})
}

// invites looks at the invitations.
func (c *checker) invites(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT hash, room, uses, expires, made, inviter FROM invite", func(scan scan) error {
		var hash, inviter []byte
		var room string
		var uses, expires, made int64
		if err := scan(&hash, &room, &uses, &expires, &made, &inviter); err != nil {
			return err
		}
		switch {
		case len(hash) != len(Invite{}.Hash) || len(inviter) != len(identity.ID{}):
			return faultf("invitation %x: its hash or the key of who made it has a wrong length", hash)
		case room != "" && !chat.MayBeRoom(room):
			return faultf("invitation %x: %.100q, where it leads, is no room", hash, room)
		case uses < 1 || uses > chat.MaxUses:
			return faultf("invitation %x: it can't have %d uses left", hash, uses)
		case made < 0 || expires < made:
			return faultf("invitation %x: it can't have been made at %d and end at %d", hash, made, expires)
		}
		return nil
	})
}

// standings looks at what keys are to rooms.
func (c *checker) standings(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT room, key, stance, since, until, by, text, start FROM standing", func(scan scan) error {
		var room, stance, since, until, start int64
		var key, by []byte
		var text string
		if err := scan(&room, &key, &stance, &since, &until, &by, &text, &start); err != nil {
			return err
		}
		switch {
		case !c.moderated(room):
			return faultf("room %d: somebody has a standing in it, and there is no such room with a name", room)
		case !isKey(key) || !isKey(by):
			return faultf("room %d: a standing is of the key %x, by %x", room, key, by)
		case stance < int64(Moderator) || stance > int64(Banned):
			return faultf("room %d: there is no standing %d, which %v has", room, stance, identity.ID(key))
		case since < 0 || until < 0 || until > 0 && until < since:
			return faultf("room %d: the standing of %v can't begin at %d and end at %d", room, identity.ID(key), since, until)
		case start < 0 || (start > 0) != (stance == int64(Member)):
			return faultf("room %d: the standing %d of %v can't let it read from row %d on", room, stance, identity.ID(key), start)
		case !isReason(text):
			return faultf("room %d: the reason for the standing of %v can't be one", room, identity.ID(key))
		}
		return nil
	})
}

// bars looks at the networks that are kept out of rooms.
func (c *checker) bars(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT room, network, key, until FROM bar", func(scan scan) error {
		var room, until int64
		var network, key []byte
		if err := scan(&room, &network, &key, &until); err != nil {
			return err
		}
		address, ok := netip.AddrFromSlice(network)
		switch {
		case !c.moderated(room):
			return faultf("room %d: a network is kept out of it, and there is no such room with a name", room)
		case !ok || chat.Network(address) != address || !isKey(key) || until < 0:
			return faultf("room %d: %x, kept out of it, is no network, or %x no key, or %d no time", room, network, key, until)
		}
		return nil
	})
}

// moderated reports whether there is a room with that number that can have moderators.
func (c *checker) moderated(num int64) bool {
	r := c.roomOf(uint64(num))
	return r != nil && !r.Direct()
}

// roomOf returns a room, nil when there is none of that number.
func (c *checker) roomOf(num uint64) *roomBase {
	i, found := slices.BinarySearchFunc(c.all, num, func(r roomBase, num uint64) int { return cmp.Compare(r.Num, num) })
	if !found {
		return nil
	}
	return &c.all[i]
}

// isKey reports whether b can be the id of a key.
func isKey(b []byte) bool { return len(b) == len(identity.ID{}) && !identity.ID(b).IsZero() }

// isReason reports whether text can be that of an act.
func isReason(text string) bool { return len(text) <= chat.MaxReason && utf8.ValidString(text) }
