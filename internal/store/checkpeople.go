package store

import (
	"context"
	"database/sql"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// maxNameBytes is more than the longest name with the longest suffix takes.
const maxNameBytes = 4*chat.MaxName + len(chat.SuffixMark) + 64

// people looks at who has joined. Which names look alike is not asked: that changes with Unicode, and a node settles it at its start.
func (c *checker) people(ctx context.Context) error {
	folded := map[string]string{}
	return each(ctx, c.archive.conn, "SELECT key, name, since, seen, inviter FROM person", func(scan scan) error {
		var key, inviter []byte
		var name sql.NullString
		var since, seen int64
		if err := scan(&key, &name, &since, &seen, &inviter); err != nil {
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
