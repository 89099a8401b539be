package hub

import (
	"fmt"

	"chatnode/internal/chat"
)

// What everybody is told when the store runs out of room, and when that is over.
const (
	fullText  = "the node's disk is nearly full: nothing can be sent until there is room; reading goes on"
	roomyText = "there is room on the node's disk again: what was not sent is sent now"
)

// checkSpace compares the room that the store has with the reserve. What falls below it begins a state that ends an eighth above it, so
// that a disk at the edge does not tell everybody something new each second. An error is the store's.
func (h *Hub) checkSpace() error {
	reserve := h.cfg.Reserve
	if reserve <= 0 {
		return nil
	}
	free, err := h.cfg.Store.Free()
	switch {
	case err != nil:
		return fmt.Errorf("look for room in the store: %w", err)
	case !h.full && free < reserve:
		h.full = true
		h.cfg.Log.Warn("the disk is nearly full: no messages are taken", "free", free, "reserve", reserve)
		h.tellAll(chat.NoSpace, fullText)
	case h.full && free-reserve/8 >= reserve:
		h.full = false
		h.cfg.Log.Info("there is room on the disk: messages are taken again", "free", free, "reserve", reserve)
		h.tellAll(chat.OK, roomyText)
	}
	return nil
}

// tellAll puts a line from the node on every session's way.
func (h *Hub) tellAll(code chat.Code, text string) {
	for s := range h.sessions {
		s.notice(code, text)
	}
}
