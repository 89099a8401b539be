package hub

import (
	"strings"
	"testing"

	"chatnode/internal/wire"
)

// What is gathered from many rooms stays within the size that was asked for; only a record that is larger than that by itself goes beyond, alone.
func TestTakeChatGathersNoMoreThanAsked(t *testing.T) {
	const soft, hard = 4 << 10, 256 << 10
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		rooms := []string{"one", "two", "three", "four"}
		for _, room := range rooms {
			alice.do(&wire.Join{Room: room})
		}
		alice.stuck = true
		for n := range 12 {
			for i, room := range rooms {
				size := 100 + 500*i
				if n%4 == 3 && i == 2 {
					size = 7000
				}
				bob.submit(bob.pub(room, strings.Repeat("x", size)))
			}
			w.settle()
		}
		for {
			records, _, err := alice.session.TakeChat(nil, soft, hard)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) == 0 {
				return
			}
			if first := recordLen(records); len(records) > soft && first != len(records) {
				t.Errorf("%d bytes in one take of %d, the first record has %d", len(records), soft, first)
			}
		}
	})
}
