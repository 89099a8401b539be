package lines

import (
	"slices"
	"strings"
	"sync"

	"chatnode/internal/chat"
)

// rooms is where the user is: from when they ask for a room until the node says that they have left. Both the lines that are typed and
// the node's answers change it.
type rooms struct {
	mu     sync.Mutex // holding it promises that joined holds each room once
	joined []string   // no direct conversations
}

// enter notes a room that was asked for or opened.
func (r *rooms) enter(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isDirect(room) && !slices.Contains(r.joined, room) {
		r.joined = append(r.joined, room)
	}
}

// leave notes that room is none of the user's any more.
func (r *rooms) leave(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = without(r.joined, room)
}

// has reports whether the user is in room, or has asked for it.
func (r *rooms) has(room string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.joined, room)
}

// ambiguous reports whether a message in room needs to say where it was said.
func (r *rooms) ambiguous(room string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.joined) != 1 || r.joined[0] != room
}

// isDirect reports whether room is a conversation with one person.
func isDirect(room string) bool { return strings.HasPrefix(room, chat.DirectMark) }

// without returns list less room, in an array of its own.
func without(list []string, room string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == room })
}
