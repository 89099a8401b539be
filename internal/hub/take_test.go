package hub

import (
	"fmt"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/store"
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

// A node has so many rooms and no more, whatever kind they are of.
func TestRoomsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		w.attach("bob")
		alice.do(alice.pub("lobby", "before"))
		if err := w.hub.call(func() {
			for i := len(w.hub.rooms); i < maxRooms; i++ {
				w.hub.rooms[fmt.Sprint("filler", i)] = newRoom(store.Room{Num: uint64(i)})
			}
		}); err != nil {
			t.Fatal(err)
		}
		alice.do(&wire.Pub{CSeq: 2, Room: "another", Kind: chat.Text, Body: []byte("x")}, &wire.Pub{CSeq: 3, Room: "@bob", Kind: chat.Text, Body: []byte("x")},
			&wire.Pub{CSeq: 4, Room: "lobby", Kind: chat.Text, Body: []byte("after")})
		wantAnswers(t, alice, "ack 1=1", "refused 2 full", "refused 3 full", "ack 4=2")
	})
}
