package wire

import (
	"strings"
	"testing"

	"chatnode/internal/chat"
)

func BenchmarkEncodeEvent(b *testing.B) { benchmarkEncode(b, eventOf100()) }
func BenchmarkEncodePub(b *testing.B)   { benchmarkEncode(b, pubOf100()) }
func BenchmarkEncodeAck(b *testing.B)   { benchmarkEncode(b, anAck()) }

func BenchmarkDecodeEvent(b *testing.B) { benchmarkDecode(b, eventOf100()) }
func BenchmarkDecodePub(b *testing.B)   { benchmarkDecode(b, pubOf100()) }
func BenchmarkDecodeAck(b *testing.B)   { benchmarkDecode(b, anAck()) }

func BenchmarkSlabDecodePub(b *testing.B) {
	var slab Slab
	item := Must(nil, pubOf100())[HeaderLen:]
	b.ReportAllocs()
	b.SetBytes(int64(len(item)))
	for b.Loop() {
		if _, err := slab.Decode(item); err != nil {
			b.Fatal(err)
		}
	}
}

func pubOf100() *Pub {
	return &Pub{CSeq: 400, Room: "lobby", Kind: chat.Text, Body: []byte(strings.Repeat("0123456789", 10))}
}

func anAck() *Ack { return &Ack{CSeq: 400, Seq: 70_000, ID: chat.ID{1, 2, 3}, Time: 1 << 41} }

func benchmarkEncode(b *testing.B, r Record) {
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = Must(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
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
