package hub

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// diskHub runs a hub on a store in a folder until the returned function is called. It lives in no bubble: SQLite waits for the system.
func diskHub(t *testing.T, folder string, n int) (h *Hub, end func()) {
	t.Helper()
	s, err := store.Open(folder, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NodeKey(peerKey(t, n).Text()); err != nil {
		t.Fatal(err)
	}
	h, err = New(Config{Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.NewChaCha8([32]byte{byte(n)}), Key: peerKey(t, n)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	return h, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPeersOnDisk: two hubs with stores on a disk exchange what they have, before and after they begin again.
func TestPeersOnDisk(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir()}
	for round := range 3 {
		var hubs [2]*Hub
		var ends [2]func()
		for i := range hubs {
			hubs[i], ends[i] = diskHub(t, folders[i], i)
			woken := make(chan struct{}, 1)
			s, _, err := hubs[i].Attach(Guest{Key: keyOf(fmt.Sprint(i)), Name: fmt.Sprint("person", i), Origin: store.OriginToken{byte(i), byte(round)}, Wake: func() {
				select {
				case woken <- struct{}{}:
				default:
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 20 { // those of the first round are there before they are shared
				if err := s.Submit(nil, &wire.Pub{CSeq: uint64(n + 1), Room: "lobby", Kind: 1, Body: fmt.Append(nil, "text ", n, " of round ", round)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := hubs[i].Share(); err != nil {
				t.Fatal(err)
			}
			for !isEntered(t, hubs[i], uint64(20*(round+1)+20*round)) {
			}
		}
		pullAll(t, hubs[0], hubs[1])
		pullAll(t, hubs[1], hubs[0])
		if diff := cmp.Diff(hubs[0].Digests(true), hubs[1].Digests(true)); diff != "" || len(hubs[0].Digests(true)) != 1 {
			t.Errorf("round %d: digests mismatch (-0 +1):\n%s", round, diff)
		}
		ends[0]()
		ends[1]()
	}
	for _, folder := range folders {
		checkStore(t, folder)
	}
}

// isEntered reports whether the lobby has so many rows, and each an entry.
func isEntered(t *testing.T, h *Hub, rows uint64) (yes bool) {
	t.Helper()
	if err := h.call(func() {
		r := h.rooms["lobby"]
		yes = r != nil && r.head == rows && r.entered == rows
	}); err != nil {
		t.Fatal(err)
	}
	return yes
}

func pullAll(t *testing.T, h, from *Hub) {
	t.Helper()
	for _, head := range from.Heads("lobby", true) {
		have, _ := h.HeadOf(head.Log.ID(), true)
		for have.Seq < head.Seq {
			list, _, err := from.Entries(head.Log.ID(), have.Seq+1, head.Seq, 4<<10, true)
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.Offer(Source{Node: from.cfg.Key.ID(), Admitted: true}, head.Log, have.Seq+1, list)
			if err != nil || got.Head == have.Seq {
				t.Fatalf("Offer = %+v, %v", got, err)
			}
			have.Seq = got.Head
		}
	}
}

// checkStore fails the test unless what a store holds can be true.
func checkStore(t *testing.T, folder string) {
	t.Helper()
	a, err := store.OpenArchive(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if _, err := a.Check(t.Context(), func(store.Step) {}); err != nil {
		t.Error(err)
	}
}
