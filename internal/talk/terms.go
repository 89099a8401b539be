package talk

import (
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// TermsText tells in a few words what is special about a room for the user now: "read-only, slow 10s, you are muted until 15:04". clock tells a time. It is
// empty for a room in which everybody writes and the user is one of many, or an admin, who is that everywhere.
func TermsText(t client.Terms, now time.Time, clock func(time.Time) string) string {
	var parts []string
	take := func(on bool, format string, args ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	take(t.Rules.Archived, "archived")
	take(t.Rules.ReadOnly && !t.Rules.Archived, "read-only")
	take(t.Rules.Private, "private")
	take(t.Rules.Slow > 0, "slow %s", chat.FormatDuration(t.Rules.Slow))
	take(len(t.Rules.Pins) > 0, "%d pinned", len(t.Rules.Pins))
	switch {
	case !IsMuted(t, now):
	case t.Until.IsZero():
		parts = append(parts, "you are muted")
	default:
		parts = append(parts, "you are muted until "+clock(t.Until))
	}
	take(t.Role == chat.RoleModerator, "you are a moderator")
	take(t.Role == chat.RoleOwner, "you are its owner")
	return strings.Join(parts, ", ")
}

// IsMuted reports whether the user can't write in a room, as a moderator has said. What has an end ends by itself.
func IsMuted(t client.Terms, now time.Time) bool {
	return t.Muted && (t.Until.IsZero() || now.Before(t.Until))
}
