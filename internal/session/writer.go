package session

import (
	"errors"
	"net"
	"sync"
	"time"

	"chatnode/internal/frame"
)

// How much is written at a time. A client that takes it slowly gets less, so that one write is never far from its end; one that takes it at
// once gets more again.
const (
	maxWrite  = 64 << 10
	minWrite  = 4 << 10
	slowWrite = time.Second
	fastWrite = 10 * time.Millisecond
)

// buffers are where records are gathered for a write. A session has one only while it writes.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, maxWrite); return &b }}

// writer writes both streams of a session, as far as their windows let it. Its fields are owned by the errand.
type writer struct {
	*Session
	control, chat frame.Stream
	size          int    // bytes a chat write may have
	answer        []byte // of a question, until there is window for it
	err           error
}

// run writes until there is nothing to write for now, or until a goodbye has been said. After a large write others have their turn first: it reports that
// there may be more.
func (w *writer) run() (more bool) {
	for wrote := 0; wrote < minWrite; {
		n, goodbye, err := w.step()
		switch wrote += n; {
		case err != nil:
			w.err = quiet(err)
			w.writing.Leave()
			w.link.Close()
			return false
		case n > 0:
			continue
		case goodbye:
			// What there was has been written, or waits for window: nothing is left that a goodbye would cut off.
			w.sayGoodbye()
		}
		return false
	}
	return true
}

// step writes something to each stream that has something to write and window for it, and returns how many bytes that was. It reports whether a goodbye need
// not wait for more.
func (w *writer) step() (wrote int, goodbye bool, err error) {
	chat, control, goodbye := w.hub.Waiting()
	if answer := w.Session.answer.Load(); answer != nil {
		w.Session.answer.Store(nil) // there is none before this one was written
		w.answer = *answer
	}
	if w.answer != nil && len(w.answer) <= w.control.Window() {
		if _, err := w.control.Write(w.answer); err != nil {
			return 0, false, err
		}
		wrote += len(w.answer)
		w.answer = nil
		w.answered <- struct{}{}
	}
	if control {
		if records := w.hub.TakeControl(min(w.control.Window(), maxWrite)); len(records) > 0 {
			if _, err := w.control.Write(records); err != nil {
				return 0, false, err
			}
			wrote += len(records)
		}
	}
	if chat {
		n, stuck, err := w.stepChat()
		if err != nil {
			return 0, false, err
		}
		wrote, goodbye = wrote+n, goodbye || stuck
	}
	return wrote, goodbye, nil
}

// stepChat writes to the chat stream. It reports stuck when there is something for which there is no window.
func (w *writer) stepChat() (wrote int, stuck bool, err error) {
	window := w.chat.Window()
	if window == 0 {
		return 0, true, nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	records, need, err := w.hub.TakeChat(*buf, w.size, window)
	if err != nil {
		return 0, false, err
	}
	if len(records) < minWrite {
		n, err := w.chat.Write(records)
		return n, need > 0, err
	}
	began := time.Now()
	if _, err := w.chat.Write(records); err != nil {
		return 0, false, err
	}
	w.pace(len(records), time.Since(began))
	return len(records), false, nil
}

// pace adapts the size of writes to how long one took.
func (w *writer) pace(n int, took time.Duration) {
	switch {
	case took > slowWrite:
		w.size = max(w.size/2, minWrite)
	case took < fastWrite && n >= w.size/2:
		w.size = min(w.size*2, maxWrite)
	}
}

// quiet makes an ordinary end of the connection no error.
func quiet(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// sayGoodbye writes the last record, if there is window for it, and waits for the client to close.
func (w *writer) sayGoodbye() {
	bye := w.hub.Goodbye()
	if bye == nil || len(bye) > w.control.Window() {
		return
	}
	defer w.link.Close()
	w.writing.Leave()
	if _, err := w.control.Write(bye); err != nil {
		return // the client has gone by itself
	}
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	select {
	case <-w.link.Done():
	case <-timer.C:
	}
}
