package bench

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

func TestOrder(t *testing.T) {
	type message struct {
		source int
		n      uint64
	}
	tests := map[string]struct {
		messages []message
		fault    string // part of the error that the last message causes; empty for none
	}{
		"in order":              {[]message{{0, 1}, {0, 2}, {0, 3}}, ""},
		"two senders":           {[]message{{0, 1}, {1, 1}, {1, 2}, {0, 2}}, ""},
		"first lost":            {[]message{{0, 2}}, "message 2 came after 0: 1 between them lost"},
		"lost":                  {[]message{{0, 1}, {0, 4}}, "message 4 came after 1: 2 between them lost"},
		"lost of one of two":    {[]message{{0, 1}, {1, 1}, {0, 2}, {1, 3}}, "message 3 came after 1"},
		"repeated":              {[]message{{0, 1}, {0, 2}, {0, 2}}, "message 2 came twice"},
		"repeated later":        {[]message{{0, 1}, {0, 2}, {0, 3}, {0, 1}}, "message 1 came after 3: repeated or out of order"},
		"reordered":             {[]message{{0, 1}, {0, 3}}, "out of order"},
		"from nobody":           {[]message{{0, 1}, {2, 1}}, "sender 2"},
		"zero, which is no one": {[]message{{0, 0}}, "twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := order{last: make([]uint64, 2)}
			for i, m := range test.messages {
				err := o.saw(m.source, m.n)
				switch last := i == len(test.messages)-1; {
				case err == nil && last && test.fault != "":
					t.Errorf("no fault found, want %q", test.fault)
				case err != nil && (!last || test.fault == "" || !strings.Contains(err.Error(), test.fault)):
					t.Errorf("message %d: got fault %q, want %q at the end", i, err, test.fault)
				}
			}
		})
	}
}

func TestRecordsAreWholeHoweverTheyAreCut(t *testing.T) {
	var stream []byte
	var want [][]byte
	for size := range 12 {
		record := binary.BigEndian.AppendUint32(nil, uint32(size))
		record = append(record, bytes.Repeat([]byte{byte('a' + size)}, size)...)
		want = append(want, record)
		stream = append(stream, record...)
	}
	for first := range len(stream) {
		for _, second := range []int{first, first + 1, first + 5, len(stream)} {
			second = min(second, len(stream))
			var r records
			var got [][]byte
			for _, chunk := range [][]byte{stream[:first], stream[first:second], stream[second:]} {
				err := r.feed(chunk, func(record []byte) error {
					got = append(got, bytes.Clone(record))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(bytes.Join(got, nil), stream) || len(got) != len(want) {
				t.Fatalf("cut at %d and %d: got %q", first, second, got)
			}
		}
	}
}

func TestRecordsRefuseAnImpossibleLength(t *testing.T) {
	for _, chunks := range [][]string{{"\xff\xff\xff\xff"}, {"\xff", "\xff\xff\xffx"}} {
		var r records
		var err error
		for _, chunk := range chunks {
			err = r.feed([]byte(chunk), func([]byte) error { return nil })
		}
		if err != errRecordSize {
			t.Errorf("%q: got %v, want %v", chunks, err, errRecordSize)
		}
	}
}

func TestStamp(t *testing.T) {
	for _, v := range []uint64{0, 1, 0x0123456789abcdef, math.MaxUint64} {
		text := payloadText(20)
		putStamp(text, v)
		if got, ok := stampOf(text); got != v || !ok || len(text) != 20 {
			t.Errorf("stamp %x in %q reads as %x, %v", v, text, got, ok)
		}
	}
	for _, text := range []string{"", "0123456789abcde", "0123456789ABCDEF"} {
		if _, ok := stampOf([]byte(text)); ok {
			t.Errorf("%q was read as a stamp", text)
		}
	}
}

func TestPubTextIsWhatWireEncodes(t *testing.T) {
	for _, payload := range []int{16, 100, 1000, chat.MaxText} {
		p := newPubText(roomName, payload)
		for _, cseq := range []uint64{1, 23, 24, 255, 256, 65535, 65536, 1 << 32} {
			body := payloadText(payload)
			putStamp(body, 77)
			want := wire.Must([]byte("x"), &wire.Pub{CSeq: cseq, Room: roomName, Kind: chat.Text, Body: body})
			got := p.append([]byte("x"), cseq, 77)
			if !bytes.Equal(got, want) {
				t.Fatalf("payload %d, cseq %d:\n got %x\nwant %x", payload, cseq, got, want)
			}
			if len(got)-1 > p.size {
				t.Errorf("payload %d, cseq %d: %d bytes, and size says %d", payload, cseq, len(got)-1, p.size)
			}
		}
	}
}

func TestEventIsTakenApart(t *testing.T) {
	for _, n := range []uint64{1, 24, 256, 1 << 16, 1 << 32} {
		body := payloadText(300)
		putStamp(body, n)
		event := &wire.Event{Room: n, Seq: n, From: n, CSeq: n, Time: int64(n), Name: "Jörg~7q2f", Kind: chat.Text, Body: body}
		var seq, stamp uint64
		g := &guest{event: func(_ int, s uint64, rest []byte) error {
			seq = s
			stamp, _ = stampOf(eventText(rest))
			return nil
		}}
		record := wire.Must(nil, event)
		if err := g.chatRecord(record); err != nil || seq != n || stamp != n {
			t.Errorf("event %d: got seq %d, stamp %d, %v", n, seq, stamp, err)
		}
		for cut := range len(record) - lengthSize {
			_ = g.chatRecord(record[:lengthSize+cut]) // must not panic
		}
	}
}

func TestFloorRecordsAreAsLargeAsEvents(t *testing.T) {
	if got := eventSize(100, 1000); got < 140 || got > 150 {
		t.Errorf("an event with 100 bytes of text has %d bytes; the protocol says about 145", got)
	}
}

// TestEventHead holds the short way to the general one, whole and cut short.
func TestEventHead(t *testing.T) {
	numbers := []uint64{0, 1, 23, 24, 255, 256, 65_535, 65_536, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	for _, room := range numbers {
		for _, seq := range numbers {
			whole := append(appendUint(appendUint(nil, room), seq), "rest"...)
			for n := range len(whole) + 1 {
				gotRoom, gotSeq, rest := eventHead(whole[:n])
				missing := len(whole) - len("rest") - n
				switch {
				case missing > 0 && rest != nil:
					t.Fatalf("room %d, seq %d: %d bytes are missing, and nothing is said", room, seq, missing)
				case missing <= 0 && (gotRoom != room || gotSeq != seq || rest == nil || len(rest) != -missing):
					t.Fatalf("room %d, seq %d, %d bytes behind them: got %d, %d, %d", room, seq, -missing, gotRoom, gotSeq, len(rest))
				}
			}
		}
	}
}
