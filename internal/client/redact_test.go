package client

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestRedacted: what an act takes away is told behind it, and an event without its text says so, in a room and in a history; what only looks like that is nothing.
func TestRedacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		onChat[*wire.Join](p)
		lobby := &row{number: 1}
		p.say(lobby.open("lobby"))
		event[Opened](r)
		gone := lobby.next("")
		gone.Opts.Gone = bytes.Repeat([]byte{7}, 32)
		p.say(gone)
		if m := event[Message](r); !m.Removed || m.Text != chat.RemovedText || m.ID != gone.ID {
			t.Errorf("%+v", m)
		}
		act := lobby.next("redact 0123456789abcdef")
		act.Kind, act.Opts.Row = chat.Act, 1
		p.say(act)
		if m := event[Message](r); m.Removed || m.Kind != chat.Act {
			t.Errorf("the act: %+v", m)
		}
		want := Redacted{Room: "lobby", Seq: 1, ID: chat.ID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}}
		if diff := cmp.Diff(want, event[Redacted](r)); diff != "" {
			t.Errorf("redacted mismatch (-want +got):\n%s", diff)
		}
		for _, change := range []func(e *wire.Event){
			func(e *wire.Event) { e.Kind = chat.Text },
			func(e *wire.Event) { e.Opts.Row = 0 },
			func(e *wire.Event) { e.Body = []byte("pin 0123456789abcdef") },
			func(e *wire.Event) { e.Body = []byte("redact 0123456789ABCDEF") },
			func(e *wire.Event) { e.Body = []byte("redact") },
		} {
			e := lobby.next("redact 0123456789abcdef")
			e.Kind, e.Opts.Row = chat.Act, 1
			change(e)
			p.say(e)
			event[Message](r)
			r.none()
		}
	})
}

// TestRowOfAnActIsKept: the number of the row goes out with the act, and is remembered with it.
func TestRowOfAnActIsKept(t *testing.T) {
	draft := Draft{Room: "lobby", Kind: chat.Act, Text: "redact 0123456789abcdef", Row: 1 << 40}
	m := newMemory()
	for _, record := range [][]byte{originRecord([16]byte{1}, 1, 0), sendRecord(1, &draft)} {
		if err := m.apply(record); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.sends[1]; got != draft {
		t.Errorf("remembered %+v, want %+v", got, draft)
	}
	record := sendRecord(2, &draft)
	for n := 1; n < len(record); n++ {
		if err := m.apply(record[:n]); err == nil {
			t.Errorf("%d bytes of a record of %d are taken", n, len(record))
		}
	}
	if p := newOutbox(1, 1).pub(&entry{cseq: 1, draft: draft}, nil); p.Opts.Row != draft.Row {
		t.Errorf("sent %+v", p.Opts)
	}
}

// TestRedactedWhileAsked: an answer that was on its way when a text was taken away does not bring it back; the act itself stays.
func TestRedactedWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		onChat[*wire.Join](p)
		lobby := &row{number: 1}
		p.say(lobby.open("lobby"))
		event[Opened](r)
		secret := lobby.next("secret")
		p.say(secret)
		event[Message](r)
		history := asked(func() (list []Message, err error) {
			list, _, err = r.History(r.ctx, "lobby", HistoryQuery{N: 2})
			return list, err
		})
		onControl[*wire.History](p)
		act := lobby.next("redact " + secret.ID.String())
		act.Kind, act.Opts.Row = chat.Act, 1
		p.say(act)
		event[Message](r)
		event[Redacted](r)
		p.tell(&wire.HistoryIs{Low: 1, Events: raw(secret, act)})
		list, err := history()
		if err != nil || len(list) != 2 || !list[0].Removed || list[0].Text != chat.RemovedText || list[1].Removed {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestRedactionsAreBounded: the oldest is forgotten, and one that comes again takes nobody's place.
func TestRedactionsAreBounded(t *testing.T) {
	var x redactions
	id := func(n int) chat.ID { return chat.ID{byte(n >> 8), byte(n)} }
	for n := range maxRedacted + 10 {
		x.note(id(n))
		x.note(id(n))
	}
	if len(x.known) != maxRedacted || len(x.ids) != maxRedacted || x.known[id(9)] || !x.known[id(10)] || !x.known[id(maxRedacted+9)] {
		t.Errorf("%d are known, of %d", len(x.known), len(x.ids))
	}
}
