package session

import (
	"errors"
	"net"
	"sync"
	"time"
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

// writer is the state of the goroutine that writes both streams of a session, as far as their windows let it.
type writer struct {
	*Session
	size   int    // bytes a chat write may have
	answer []byte // of a question, until there is window for it
}

// write writes until the connection ends, or until a goodbye has been said.
func (s *Session) write() error {
	w := &writer{Session: s, size: maxWrite}
	for {
		wrote, err := w.step()
		if err != nil {
			return err
		}
		if wrote {
			continue
		}
		// What there was has been written, or waits for window: nothing is left that a goodbye would cut off.
		if bye := s.hub.Goodbye(); bye != nil && len(bye) <= s.link.Control().Window() {
			return s.sayGoodbye(bye)
		}
		select {
		case <-s.wake:
		case <-s.link.Done():
			return nil
		}
	}
}

// step writes something to each stream that has something to write and window for it.
func (w *writer) step() (wrote bool, err error) {
	control, err := w.stepControl()
	if err != nil {
		return false, err
	}
	chat, err := w.stepChat()
	return control || chat, err
}

func (w *writer) stepControl() (wrote bool, err error) {
	stream := w.link.Control()
	if w.answer == nil {
		select {
		case w.answer = <-w.Session.answer:
		default:
		}
	}
	if w.answer != nil && len(w.answer) <= stream.Window() {
		if _, err := stream.Write(w.answer); err != nil {
			return false, w.failed(err)
		}
		w.answer = nil
		w.answered <- struct{}{}
		wrote = true
	}
	if records := w.hub.TakeControl(min(stream.Window(), maxWrite)); len(records) > 0 {
		if _, err := stream.Write(records); err != nil {
			return false, w.failed(err)
		}
		wrote = true
	}
	return wrote, nil
}

func (w *writer) stepChat() (wrote bool, err error) {
	stream := w.link.Chat()
	window := stream.Window()
	if window == 0 {
		return false, nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	records, _, err := w.hub.TakeChat(*buf, w.size, window)
	if err != nil {
		return false, err
	}
	if len(records) == 0 {
		return false, nil
	}
	began := time.Now()
	if _, err := stream.Write(records); err != nil {
		return false, w.failed(err)
	}
	w.pace(len(records), time.Since(began))
	return true, nil
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

// failed makes an ordinary end of the connection quiet.
func (w *writer) failed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// sayGoodbye writes the last record and waits for the client to close.
func (s *Session) sayGoodbye(bye []byte) error {
	if _, err := s.link.Control().Write(bye); err != nil {
		return nil // it has gone by itself
	}
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	select {
	case <-s.link.Done():
	case <-timer.C:
	}
	return nil
}
