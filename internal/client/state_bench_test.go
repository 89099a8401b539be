package client

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// BenchmarkSend is what a send costs until it is in the outbox, and on disk, answered at once.
func BenchmarkSend(b *testing.B) {
	benchmark(b, func(b *testing.B, c *Client) {
		d := Draft{Room: "lobby", Kind: chat.Text, Text: strings.Repeat("x", 100)}
		for b.Loop() {
			if _, err := c.Send(context.Background(), d); err != nil {
				b.Fatal(err)
			}
			c.mu.Lock()
			e := c.outbox.take(64, 1<<20)
			_, _ = c.outbox.answer(e.cseq)
			if c.cfg.State != nil {
				c.unfiled = append(c.unfiled, settled{cseq: e.cseq})
			}
			c.mu.Unlock()
			c.fileAnswers(1)
		}
	})
}

// BenchmarkShown is what it costs to note down that a message was shown.
func BenchmarkShown(b *testing.B) {
	benchmark(b, func(b *testing.B, c *Client) {
		c.rooms.list = append(c.rooms.list, &room{key: "lobby", name: "lobby"})
		m := Message{Room: "lobby"}
		for b.Loop() {
			m.Cursor.Seq++
			c.Shown(m)
		}
	})
}

func benchmark(b *testing.B, run func(*testing.B, *Client)) {
	for _, kind := range []string{"memory", "state"} {
		b.Run(kind, func(b *testing.B) {
			cfg := Config{Name: "carol", Key: testKey(), Dial: func(context.Context) (Link, error) { return nil, io.EOF }}
			if kind == "state" {
				s, err := OpenState(filepath.Join(b.TempDir(), "journal"), &counter{})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				cfg.State = s
			}
			run(b, New(cfg))
		})
	}
}
