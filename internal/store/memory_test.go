package store

import (
	"testing"

	"chatnode/internal/chat"
)

// TestMemoryCounts: the bytes that a Memory thinks it holds are those of its rows, however it got there.
func TestMemoryCounts(t *testing.T) {
	m, w := NewMemory(10_000), newScribe()
	b := &Batch{Rooms: []Room{{Num: 1}, {Num: 2}, {Num: 3}}}
	for i := range 300 {
		b.Rows = append(b.Rows, w.row(uint64(1+i%3), 10+i))
	}
	mustAppend(t, m, b)
	var sum int64
	for _, room := range m.rooms {
		var bytes int64
		for i := range room.rows.len {
			row := room.rows.at(i)
			bytes += int64(len(row.record) + rowOverhead)
		}
		if bytes != room.bytes || room.Head+1-room.Low != uint64(room.rows.len) {
			t.Errorf("room %d says %d bytes and %d to %d, holds %d bytes and %d rows", room.Num, room.bytes, room.Low, room.Head, bytes, room.rows.len)
		}
		sum += bytes
	}
	if sum != m.bytes || sum > m.limit || sum == 0 {
		t.Errorf("the store says %d bytes, holds %d, limit %d", m.bytes, sum, m.limit)
	}
}

func BenchmarkMemoryAppend(b *testing.B) {
	m, w := NewMemory(DefaultMemory), newScribe()
	if err := m.Append(&Batch{Rooms: []Room{{Num: 1}}}); err != nil {
		b.Fatal(err)
	}
	row := w.row(1, 146)
	batch := &Batch{Rows: []Row{row}}
	b.ReportAllocs()
	for b.Loop() {
		batch.Rows[0] = row
		if err := m.Append(batch); err != nil {
			b.Fatal(err)
		}
		row.Seq++
	}
}

func BenchmarkMemoryPage(b *testing.B) {
	m, w := NewMemory(DefaultMemory), newScribe()
	batch := &Batch{Rooms: []Room{{Num: 1}}}
	for range 10 * chat.MaxTail {
		batch.Rows = append(batch.Rows, w.row(1, 146))
	}
	if err := m.Append(batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := m.Page(1, 1, 1<<20, 64<<10); err != nil {
			b.Fatal(err)
		}
	}
}
