package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestQuit waits for the answers, says goodbye behind them, and leaves no event untold.
func TestQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.send("lobby", "a")
		quit := make(chan error)
		go func() { quit <- r.Quit(t.Context()) }()
		synctest.Wait()
		if _, err := r.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Text, Text: "late"}); !errors.Is(err, ErrClosed) {
			t.Errorf("Send after Quit returned %v", err)
		}
		p := r.accept(nil)
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		if bye := onControl[*wire.Bye](p); bye.Code != chat.OK {
			t.Errorf("the goodbye has code %v", bye.Code)
		}
		select {
		case <-p.Done():
			t.Errorf("the client closed before the node could read its goodbye")
		default:
		}
		p.Close()
		if err := <-quit; err != nil {
			t.Errorf("Quit returned %v", err)
		}
		event[LinkUp](r)
		event[Ack](r)
		if e, open := <-r.Events(); open {
			t.Errorf("got event %#v behind the goodbye", e)
		}
		if err := <-r.ran; err != nil {
			t.Errorf("Run returned %v", err)
		}
		if err := r.Quit(t.Context()); err != nil {
			t.Errorf("a second Quit returned %v", err)
		}
	})
}

// TestQuitUnheard: a node that does not close is left after a moment.
func TestQuitUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		p := r.accept(nil)
		event[LinkUp](r)
		before := time.Now()
		if err := r.Quit(t.Context()); err != nil {
			t.Errorf("Quit returned %v", err)
		}
		onControl[*wire.Bye](p)
		if waited := time.Since(before); waited != byeTime {
			t.Errorf("ended after %v, want %v", waited, byeTime)
		}
		<-r.ran
	})
}

func TestQuitWithoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.send("lobby", "a")
		r.send("lobby", "b")
		r.send("lobby", "c")
		p := r.accept(nil)
		event[LinkUp](r)
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		event[Ack](r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var pending *PendingError
		if err := r.Quit(ctx); !errors.As(err, &pending) || pending.Count != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Quit returned %v, want 2 pending at the deadline", err)
		}
		if err := <-r.ran; err != nil {
			t.Errorf("Run returned %v", err)
		}
		for range 2 {
			onChat[*wire.Pub](p)
		}
		if _, err := p.control.Next(); err == nil {
			t.Errorf("a goodbye was said although messages are not answered")
		}
	})
}

func TestQuitWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		r.refuse <- errDial
		event[LinkDown](r)
		if err := r.Quit(t.Context()); err != nil {
			t.Errorf("Quit returned %v", err)
		}
		if err := <-r.ran; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestQuitRefused: what is left when the node refuses the client is counted.
func TestQuitRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.send("lobby", "a")
		p := r.accept(nil)
		event[LinkUp](r)
		p.tell(&wire.Bye{Code: chat.Replaced})
		var pending *PendingError
		var refused *RefusedError
		if err := r.Quit(t.Context()); !errors.As(err, &pending) || pending.Count != 1 || !errors.As(err, &refused) {
			t.Errorf("Quit returned %v, want one pending because it was replaced", err)
		}
		<-r.ran
	})
}

func TestCloseBeforeRun(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Dial: func(context.Context) (Link, error) { return nil, errDial }})
	c.Close()
	c.Close()
	if err := c.Run(t.Context()); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, open := <-c.Events(); open {
		t.Errorf("an event came")
	}
	if err := c.Join("lobby"); !errors.Is(err, ErrClosed) {
		t.Errorf("Join returned %v", err)
	}
	if _, err := c.List(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("List returned %v", err)
	}
	if _, err := c.Author(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Author returned %v", err)
	}
}
