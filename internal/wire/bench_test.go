package wire

import (
	"strings"
	"testing"

	"chatnode/internal/chat"
)

func BenchmarkEncodeEvent(b *testing.B) {
	event := eventOf100()
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = Must(buf[:0], event)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeEvent(b *testing.B) { benchmarkDecode(b, eventOf100()) }

func BenchmarkDecodePub(b *testing.B) {
	benchmarkDecode(b, &Pub{CSeq: 400, Room: "lobby", Kind: chat.Text, Body: []byte(strings.Repeat("0123456789", 10))})
}

func benchmarkDecode(b *testing.B, r Record) {
	item := Must(nil, r)[HeaderLen:]
	b.ReportAllocs()
	b.SetBytes(int64(len(item)))
	for b.Loop() {
		if _, err := Decode(item); err != nil {
			b.Fatal(err)
		}
	}
}
