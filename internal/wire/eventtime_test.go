package wire

import (
	"testing"

	"chatnode/internal/chat"
)

// TestEventTime reads the time of events of every size, and nothing of what is none or ends early.
func TestEventTime(t *testing.T) {
	for _, n := range []uint64{0, 1, 23, 24, 255, 256, 65_535, 65_536, 1<<32 - 1, 1 << 32, MaxCount} {
		event := &Event{Room: n, Seq: n, From: n, CSeq: n, Time: storyTime + int64(n%1000), Name: "bob", Kind: chat.Text, Body: []byte("x")}
		record := Must(nil, event)
		if got := EventTime(record); got != event.Time {
			t.Errorf("time %d of an event with numbers like %d, want %d", got, n, event.Time)
		}
		if got := EventTime(Must(record, &Ack{CSeq: 7})); got != event.Time {
			t.Errorf("time %d of an event with another record behind it, want %d", got, event.Time)
		}
		end := len(record) - 1 - len("x") - 8 - 1 - 1 - 1 - len("bob") - 1 - 1
		for i := range end - 9 {
			if got := EventTime(record[:i]); got != 0 {
				t.Errorf("time %d of the first %d bytes of an event", got, i)
			}
		}
	}
	for _, r := range []Record{&Ack{CSeq: 1, Seq: 2, Time: storyTime}, &Peers{}, &Open{Name: "lobby"}} {
		if got := EventTime(Must(nil, r)); got != 0 {
			t.Errorf("time %d of %T", got, r)
		}
	}
}
