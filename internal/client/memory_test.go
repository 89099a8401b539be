package client

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/journal"
)

// TestCompacts: a journal of much that is of no use any more is written anew, and says the same.
func TestCompacts(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	text := strings.Repeat("x", 5000)
	for cseq := uint64(1); cseq < 2000; cseq++ {
		if err := s.send(cseq, &Draft{Room: "lobby", Kind: chat.Text, Text: text}); err != nil {
			t.Fatal(err)
		}
		if err := s.shown("lobby", chat.Cursor{Epoch: 1, Seq: cseq}, false); err != nil {
			t.Fatal(err)
		}
		if cseq > 10 {
			if err := s.answered(settled{cseq: cseq - 10}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if size := s.journal.Size(); size > 2*compactAbove {
		t.Errorf("the file has %d bytes", size)
	}
	wantSame(t, s, openState(t, dir))
}

// samePins reports whether a and b trust the same names, pinned in the same order.
func samePins(a, b pins) bool {
	ids := func(p *pins) (ids []identity.ID) {
		for _, name := range p.oldestFirst() {
			ids = append(ids, p.byName[name].id)
		}
		return ids
	}
	return slices.Equal(a.oldestFirst(), b.oldestFirst()) && slices.Equal(ids(&a), ids(&b))
}

func wantSame(t *testing.T, a, b *State) {
	t.Helper()
	for _, m := range []*memory{&a.memory, &b.memory} { // only the order counts
		for i, key := range m.oldestFirst() {
			r := m.rooms[key]
			r.used = uint64(i)
			m.rooms[key] = r
		}
		m.shownNow = 0
	}
	if diff := cmp.Diff(a.memory, b.memory, cmp.AllowUnexported(memory{}, remembered{}, trail{}, step{}, home{}, pair{}), cmp.Comparer(samePins)); diff != "" {
		t.Errorf("the state is read differently (-want +got):\n%s", diff)
	}
}

func TestRoomsAreBounded(t *testing.T) {
	m := newMemory()
	for i := range maxRemembered + 10 {
		if err := m.apply(cursorRecord(fmt.Sprint("room", i), chat.Cursor{Seq: 1})); err != nil {
			t.Fatal(err)
		}
		if err := m.apply(cursorRecord("lobby", chat.Cursor{Seq: uint64(i)})); err != nil {
			t.Fatal(err)
		}
	}
	if _, kept := m.rooms["lobby"]; len(m.rooms) != maxRemembered || !kept {
		t.Errorf("%d rooms are remembered, the busy one: %v", len(m.rooms), kept)
	}
}

// TestDamagedState flips a bit in every byte: a state is always had, which says where the damaged file is, or one is refused whole.
func TestDamagedState(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	d := Draft{Room: "lobby", Kind: chat.Text, Text: "hello"}
	if err := errors.Join(s.meet(7, home{}), s.send(1, &d), s.send(2, &d), s.answered(settled{cseq: 1}), s.shown("lobby", chat.Cursor{Seq: 1}, false), s.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 1 << rand.UintN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenState(path, &counter{})
		if errors.Is(err, journal.ErrForeign) && at <= 16 { // the head
			continue
		}
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		if aside, err := os.ReadFile(s.Damaged()); err != nil || !bytes.Equal(aside, bad) {
			t.Fatalf("byte %d: put aside %d bytes in %q, %v", at, len(aside), s.Damaged(), err)
		}
		if err := errors.Join(s.send(s.next, &d), s.Close()); err != nil {
			t.Fatal(err)
		}
		again := openState(t, dir)
		if wantSame(t, s, again); again.Damaged() != "" {
			t.Fatalf("byte %d: it is damaged a second time", at)
		}
		_ = again.Close()
	}
}

// TestStrangeRecords: one that makes no sense is damage, and one of a newer chatnode is left to that.
func TestStrangeRecords(t *testing.T) {
	write := func(records ...[]byte) (dir string) {
		dir = t.TempDir()
		j, _, _, err := journal.Open(filepath.Join(dir, "journal"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.Append(records...), j.Close()); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	good := originRecord([16]byte{1}, 5, 2)
	d := &Draft{Room: "lobby", Kind: chat.Text, Text: "a"}
	for name, bad := range map[string][]byte{
		"too short": good[:10], "too long": append(slices.Clone(good), 0), "answered what was not sent": answeredRecord(settled{cseq: 5}), "answered 0": answeredRecord(settled{}),
		"send 0": sendRecord(0, d), "no room": sendRecord(1, &Draft{Kind: chat.Text, Text: "a"}), "no kind": sendRecord(1, &Draft{Room: "lobby", Text: "a"}),
		"a cursor of no room": cursorRecord("", chat.Cursor{}), "a note on no room": noteRecord("", "off"), "a pin of no name": pinRecord("", identity.ID{1}), "a pin on no key": pinRecord("bob", identity.ID{}), "a text without end": {kindForget, 200, 1}, "a number without end": bytes.Repeat([]byte{kindAnswered, 255}, 20),
		"more answered than sent": originRecord([16]byte{}, 2, 2),
	} {
		s := openState(t, write(good, bad, sendRecord(9, d)))
		if s.Damaged() == "" || s.origin != [16]byte{1} || s.next != 5 || len(s.sends) != 0 {
			t.Errorf("%s: damaged %q, origin %x, next %d, %d sends", name, s.Damaged(), s.origin, s.next, len(s.sends))
		}
	}
	dir := write(good, []byte{200})
	before, _ := os.ReadFile(filepath.Join(dir, "journal"))
	if _, err := OpenState(filepath.Join(dir, "journal"), &counter{}); !errors.Is(err, errNewer) {
		t.Errorf("a newer record: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "journal")); !bytes.Equal(after, before) {
		t.Error("the newer file has changed")
	}
}

// FuzzApply: a record is taken in whole or not at all, and what was taken in can be written down and read again.
func FuzzApply(f *testing.F) {
	d := &Draft{Room: "@bob", Kind: chat.Action, Text: "waves", Re: chat.ID{1}}
	for _, r := range [][]byte{
		originRecord([16]byte{9}, 300, 200), sendRecord(300, d), answeredRecord(settled{cseq: 250}), answeredRecord(settled{cseq: 5, copied: true}), cursorRecord("ops", chat.Cursor{Epoch: 1, Seq: 1 << 40, Hash: chat.Hash{3}}),
		readRecord("ops", 7), noteRecord("ops", "off"), forgetRecord("ops"), epochRecord(1), owedRecord(2, WhyAcks), {kindRetired},
		firstRecord(5, pair{[16]byte{7}, 1}), pairsRecord("ops", []pair{{[16]byte{7}, 1}, {[16]byte{8}, 1 << 40}}),
	} {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if len(record) > journal.MaxRecord {
			return
		}
		fresh := func() *memory {
			m := newMemory()
			for _, r := range [][]byte{originRecord([16]byte{1}, 5, 2), sendRecord(5, d), cursorRecord("ops", chat.Cursor{Seq: 1}), epochRecord(9)} {
				if err := m.apply(r); err != nil {
					t.Fatal(err)
				}
			}
			return &m
		}
		m := fresh()
		opts := cmp.Options{cmp.AllowUnexported(memory{}, remembered{}, trail{}, step{}, home{}, pair{}), cmp.Comparer(samePins)}
		if err := m.apply(record); err != nil {
			if diff := cmp.Diff(fresh(), m, opts); diff != "" {
				t.Fatalf("%v, and the memory has changed:\n%s", err, diff)
			}
			return
		}
		again := newMemory()
		for _, r := range m.records() {
			if err := again.apply(r); err != nil {
				t.Fatalf("a record of its own: %v", err)
			}
		}
		if !slices.EqualFunc(m.records(), again.records(), bytes.Equal) {
			t.Fatal("what is written down again differs")
		}
	})
}
