package store

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
)

func TestOutcomes(t *testing.T) {
	outcomes := []Outcome{
		{CSeq: 6, Seq: 1, ID: chat.ID{1, 2}, Time: 1_700_000_000_000}, {CSeq: 7, Code: chat.BadText, Time: 5}, {CSeq: 8, Time: math.MinInt64},
		{CSeq: 9, Seq: math.MaxUint64, ID: chat.ID{255}, Time: math.MaxInt64}, {CSeq: 10, Code: chat.Code(255)},
	}
	b := appendOutcomes(nil, outcomes)
	got, err := parseOutcomes(b, 10)
	if diff := cmp.Diff(outcomes, got); diff != "" || err != nil {
		t.Errorf("outcomes mismatch (-want +got), %v:\n%s", err, diff)
	}
	if _, err := parseOutcomes(b, 4); !errors.Is(err, ErrDamaged) {
		t.Errorf("five outcomes of four publishes: %v", err)
	}
	for n := 1; n < 12; n++ { // the last of them take 3 bytes or more each
		if _, err := parseOutcomes(b[:n], 10); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of them: %v", n, err)
		}
	}
}

func FuzzOutcomes(f *testing.F) {
	f.Add(appendOutcomes(nil, []Outcome{{Seq: 3, Time: 9}, {Code: chat.Empty}, {}}), uint64(3))
	f.Add([]byte{0, 0x80}, uint64(64))
	f.Add([]byte{0x80, 0, 0, 0}, uint64(1)) // a number that could be shorter
	f.Fuzz(func(t *testing.T, b []byte, last uint64) {
		outcomes, err := parseOutcomes(b, last)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := parseOutcomes(appendOutcomes(nil, outcomes), last)
		if !slices.Equal(outcomes, again) || err != nil {
			t.Errorf("round trip, %v:\n%s", err, cmp.Diff(outcomes, again, cmpopts.EquateEmpty()))
		}
	})
}
