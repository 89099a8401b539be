package hub

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds of invitations: how many are good at one time, of all keys and of one; how often one key can make one, and how many at once.
const (
	maxInvites     = 1000
	maxInvitesEach = 100
	invitesEach    = time.Minute
	invitesBurst   = 10
)

// invitation returns the invitation, for nodes or for people, that a token is of, nil when there is none that is good. Each is compared in the time that it takes to compare
// any: how long it takes to say no tells nothing of a token.
func (h *Hub) invitation(token []byte, node bool, now time.Time) (found *store.Invite) {
	if len(token) != wire.TokenLen {
		return nil
	}
	hash := sha256.Sum256(token)
	for _, i := range h.invites {
		if subtle.ConstantTimeCompare(i.Hash[:], hash[:]) == 1 && isGood(&i, now) && i.Node == node {
			found = &i
		}
	}
	return found
}

func isGood(i *store.Invite, now time.Time) bool { return chat.Millis(now) < i.Expires }

// useInvite counts an invitation as used by one more key.
func (h *Hub) useInvite(i *store.Invite) {
	used := *i
	used.Uses--
	h.putInvite(used)
}

// putInvite has the store and the table know what is left of an invitation.
func (h *Hub) putInvite(i store.Invite) {
	h.batch.Invites = append(h.batch.Invites, i)
	if h.invites[i.Hash] = i; i.Uses == 0 {
		delete(h.invites, i.Hash)
	}
}

// expireInvites removes those that are not good any more.
func (h *Hub) expireInvites(now time.Time) {
	for _, i := range h.invites {
		if !isGood(&i, now) {
			i.Uses = 0
			h.putInvite(i)
		}
	}
}

// invite answers with a new invitation, of which only who asks ever learns the token.
func (s *Session) invite(q *wire.Invite) wire.Record {
	h := s.hub
	now := h.cfg.Now()
	life := time.Duration(min(q.ForMS, uint64(chat.MaxInvite.Milliseconds())+1)) * time.Millisecond
	switch {
	case h.cfg.InviteOnly && !s.account.isAdmin():
		return &wire.Failed{Code: chat.Denied}
	case !s.secure:
		return &wire.Failed{Code: chat.NotSecure}
	case q.Uses < 1 || q.Uses > chat.MaxUses || life < time.Millisecond || life > chat.MaxInvite:
		return &wire.Failed{Code: chat.Unsupported}
	case q.Node && !s.admin:
		return &wire.Failed{Code: chat.Denied}
	case q.Node && q.Room != "":
		return &wire.Failed{Code: chat.BadRoom} // a node comes to all of them
	case q.Room != "" && !chat.MayBeRoom(q.Room):
		return &wire.Failed{Code: chat.BadRoom}
	case q.Room == chat.Reports, h.rooms[q.Room] != nil && h.rooms[q.Room].Rules.Private: // into which one comes by an act that is seen there
		return &wire.Failed{Code: chat.NotMember}
	}
	if code, wait := h.roomForInvite(s.account, now); code != chat.OK {
		return &wire.Failed{Code: code, RetryAfterMS: millis(wait)}
	}
	token := h.salt()
	i := store.Invite{
		Hash: sha256.Sum256(token[:]), Room: q.Room, Uses: int(q.Uses), Made: chat.Millis(now), Expires: chat.Millis(now.Add(life)), Inviter: s.account.id,
		Node: q.Node,
	}
	h.putInvite(i)
	return &wire.InviteIs{Token: token[:], Uses: q.Uses, Expires: i.Expires, Addresses: h.cfg.Addresses}
}

// roomForInvite says whether a can make another invitation, and if not, after what time it may.
func (h *Hub) roomForInvite(a *account, now time.Time) (code chat.Code, wait time.Duration) {
	h.expireInvites(now)
	own, first, ownFirst := 0, int64(0), int64(0) // how many are a's, and when the first ends, of all and of a's
	for _, i := range h.invites {
		if first == 0 || i.Expires < first {
			first = i.Expires
		}
		if i.Inviter != a.id {
			continue
		}
		if own++; own == 1 || i.Expires < ownFirst {
			ownFirst = i.Expires
		}
	}
	switch {
	case own >= maxInvitesEach:
		return chat.TooFast, time.UnixMilli(ownFirst).Sub(now)
	case len(h.invites) >= maxInvites && !a.isAdmin(): // who can close the node is not to be kept from inviting by those it was open to
		return chat.Full, time.UnixMilli(first).Sub(now)
	}
	if wait := take(&a.inviteLimit, invitesEach, invitesBurst, now); wait > 0 {
		return chat.TooFast, wait
	}
	return chat.OK, 0
}
