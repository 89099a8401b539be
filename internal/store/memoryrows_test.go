package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMemoryRows holds the list to a slice, through any order of growing and letting go.
func TestMemoryRows(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var list memoryRows
		var want [][]byte
		first := 0 // of want
		for range 3000 {
			switch n := rng.IntN(100); {
			case n < 90:
				record := bytes.Repeat([]byte{byte(len(want))}, 1+rng.IntN(300))
				list.append(memoryRow{record: record, time: int64(len(want))})
				want = append(want, bytes.Clone(record))
				clear(record) // it is its owner's again
			case n < 95 && list.len > 0:
				i := rng.IntN(list.len)
				want[first+i] = []byte(fmt.Sprint("changed ", i))
				list.change(list.at(i), want[first+i])
				want[first+i] = bytes.Clone(want[first+i])
			case n == 99 && list.len > 0 && rng.IntN(4) == 0:
				n := 1 + rng.IntN(list.len)
				list.drop(n)
				first += n
			}
		}
		for _, l := range []memoryRows{list, list.clone()} {
			if l.len != len(want)-first || l.len > 0 && l.gone >= chunkRows {
				t.Fatalf("seed %d: %d rows behind %d, want %d", seed, l.len, l.gone, len(want)-first)
			}
			for i := range l.len {
				if row := l.at(i); row.time != int64(first+i) || !bytes.Equal(row.record, want[first+i]) {
					t.Fatalf("seed %d: row %d is that of %d: %.20q, want %.20q", seed, first+i, row.time, row.record, want[first+i])
				}
			}
		}
		for _, row := range list.chunks[0][:list.gone] {
			if row.record != nil {
				t.Fatalf("seed %d: a row that has gone holds its record", seed)
			}
		}
	}
}

// TestMemoryRowsForget: what a row had said is nowhere any more when it says something else, and a copy of the store has its own.
func TestMemoryRowsForget(t *testing.T) {
	var list memoryRows
	for range 3 {
		list.append(memoryRow{record: []byte("secret")})
	}
	other, old := list.clone(), list.at(1).record
	list.change(list.at(1), []byte("gone"))
	if bytes.Contains(list.block, []byte("secretsecretsecret")) || bytes.Contains(old, []byte("secret")) {
		t.Error("the text is still in memory")
	}
	for i, want := range []string{"secret", "gone", "secret"} {
		if got := list.at(i).record; string(got) != want {
			t.Errorf("row %d is %q, want %q", i, got, want)
		}
		if got := other.at(i).record; string(got) != "secret" {
			t.Errorf("row %d of the copy is %q", i, got)
		}
	}
}
