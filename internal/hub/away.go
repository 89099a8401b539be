package hub

import (
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const (
	// awaysEach is how often one key can go away or say something else, awaysBurst how many times at once. It can always come back.
	awaysEach  = 10 * time.Second
	awaysBurst = 5
)

// away notes that the session's key is away or back, for all its sessions, until it says otherwise or the last of them ends. What others have to
// read is as short and as clean as a topic.
func (s *Session) away(q *wire.Away) wire.Record {
	if s.detached {
		return &wire.Failed{Code: chat.Replaced} // of a key without a session nobody would end it
	}
	h, a := s.hub, s.account
	text, since := "", int64(0)
	if q.Away {
		if code := chat.CheckText(chat.Topic, q.Text); code != chat.OK {
			return &wire.Failed{Code: code}
		}
		text, since = chat.CleanText(chat.Topic, q.Text), a.awaySince
		if since == 0 {
			since = max(chat.Millis(h.cfg.Now()), 1)
		}
	}
	changes := (since != 0) != (a.awaySince != 0)
	if q.Away && (changes || text != a.awayText) {
		if wait := take(&a.awayLimit, awaysEach, awaysBurst, h.cfg.Now()); wait > 0 {
			return &wire.Failed{Code: chat.TooFast, RetryAfterMS: millis(wait)}
		}
	}
	a.awayText, a.awaySince = text, since
	if changes {
		h.changeAll(a)
	}
	return &wire.AwayIs{Away: q.Away, Text: text, Since: since}
}
