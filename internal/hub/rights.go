package hub

import (
	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// right is who may do an act, and to whom.
type right struct {
	least    chat.Role // of whoever does it
	outranks bool      // whoever it is done to has to have a lower role, which nobody has than themselves
	known    bool      // to somebody who has been here
	archived bool      // also in a room where nobody writes
	own      bool      // to what one has written oneself, whatever one's role
}

// rights are all of them. What is not here nobody may. Nothing but this says who may do what.
var rights = map[chat.Verb]right{
	chat.Op:        {least: chat.RoleOwner, outranks: true, known: true},
	chat.Deop:      {least: chat.RoleOwner, outranks: true},
	chat.Kick:      {least: chat.RoleModerator, outranks: true, known: true},
	chat.Ban:       {least: chat.RoleModerator, outranks: true, known: true},
	chat.Unban:     {least: chat.RoleModerator, outranks: true},
	chat.Mute:      {least: chat.RoleModerator, outranks: true, known: true},
	chat.Unmute:    {least: chat.RoleModerator, outranks: true},
	chat.Slow:      {least: chat.RoleModerator},
	chat.ReadOnly:  {least: chat.RoleModerator},
	chat.Writable:  {least: chat.RoleModerator},
	chat.Pin:       {least: chat.RoleModerator},
	chat.Unpin:     {least: chat.RoleModerator},
	chat.Welcome:   {least: chat.RoleModerator},
	chat.Archive:   {least: chat.RoleOwner},
	chat.Unarchive: {least: chat.RoleOwner, archived: true},
	chat.Private:   {least: chat.RoleOwner},
	chat.Open:      {least: chat.RoleOwner},
	chat.Invite:    {least: chat.RoleModerator, known: true},
	chat.Redact:    {least: chat.RoleModerator, outranks: true, archived: true, own: true},
}

// roleOf returns the role of a key in a room. isAdmin says that it is an admin's.
func (r *room) roleOf(id identity.ID, isAdmin bool) chat.Role {
	switch {
	case isAdmin:
		return chat.RoleAdmin
	case r.isOwner(id):
		return chat.RoleOwner
	case r.has(id, store.Moderator):
		return chat.RoleModerator
	}
	return chat.RoleNone
}

// isOwner reports whether a key made the room.
func (r *room) isOwner(id identity.ID) bool { return r.Owner == id && !id.IsZero() }

// role returns the session's role in a room.
func (s *Session) role(r *room) chat.Role { return r.roleOf(s.account.id, s.admin) }

// birthright returns the role that the session has in a room whatever is done there.
func (s *Session) birthright(r *room) chat.Role {
	switch {
	case s.admin:
		return chat.RoleAdmin
	case r.isOwner(s.account.id):
		return chat.RoleOwner
	}
	return chat.RoleNone
}

// mayWrite says why a session can't write a message of some kind in a room now, and from when on it can, in milliseconds since the Unix epoch; 0: not by waiting.
func (s *Session) mayWrite(r *room, kind chat.Kind) (code chat.Code, again int64) {
	if !r.isModerated() {
		return chat.OK, 0
	}
	now := chat.Millis(s.hub.cfg.Now())
	role := s.role(r)
	_, code = s.reads(r)
	switch {
	case r.isReports() && code == chat.NotMember && kind == chat.Text: // nothing but texts comes from those who don't read there
	case code != chat.OK:
		return code, 0
	}
	switch {
	case r.Rules.Archived:
		return chat.Archived, 0
	case role >= chat.RoleAdmin:
		return chat.OK, 0
	}
	if mute, muted := r.standing(s.account.id, store.Muted, now); muted {
		return chat.Muted, mute.Until
	}
	switch {
	case role >= chat.RoleModerator:
		return chat.OK, 0
	case r.Rules.ReadOnly:
		return chat.OnlyRead, 0
	}
	if again := r.soonest(s.account.id, now); again > now {
		return chat.TooSoon, again
	}
	return chat.OK, 0
}

// mayAct says why a session can't do an act in a room now, as mayWrite does.
func (s *Session) mayAct(r *room, act *heard) (code chat.Code, again int64) {
	now, role, right := chat.Millis(s.hub.cfg.Now()), s.role(r), rights[act.Verb]
	target := s.hub.accounts[act.who]
	own := right.own && act.who == s.account.id
	_, code = s.reads(r)
	switch {
	case right.least == chat.RoleNone:
		return chat.NotAllowed, 0
	case code != chat.OK:
		return code, 0
	case own: // in a conversation nothing else is
	case r.Direct() || role < right.least:
		return chat.NotAllowed, 0
	case r.Rules.Archived && !right.archived:
		return chat.Archived, 0
	case right.outranks && r.roleOf(act.who, act.admin || target != nil && target.isAdmin()) >= role:
		return chat.NotAllowed, 0
	case right.known && target == nil:
		return chat.NoSuchUser, 0
	}
	if mute, muted := r.standing(s.account.id, store.Muted, now); muted && role < chat.RoleAdmin {
		return chat.Muted, mute.Until
	}
	return chat.OK, 0
}
