package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// settle waits until a store's search has caught up, where that takes time.
func settle(t *testing.T, e engine) {
	t.Helper()
	if s, ok := e.(interface{ settle(*testing.T) }); ok {
		s.settle(t)
	}
}

// library is a store with messages in several rooms, and what they are.
type library struct {
	engine
	scribe *scribe
	rows   []Row // as they were written
}

// write appends messages, all in one batch, a second after one another.
func (l *library) write(t *testing.T, rows ...[3]string) {
	t.Helper()
	b := &Batch{}
	for _, r := range rows {
		room := uint64(r[0][0] - '0')
		b.Rows = append(b.Rows, l.scribe.say(t, room, r[1], r[2], int64(1000*len(l.rows))))
		l.rows = append(l.rows, b.Rows[len(b.Rows)-1])
	}
	mustAppend(t, l, b)
}

func newLibrary(t *testing.T, e engine, rooms int) *library {
	t.Helper()
	b := &Batch{}
	for i := range rooms {
		b.Rooms = append(b.Rooms, Room{Num: uint64(i + 1), Name: fmt.Sprint("room", i+1)})
	}
	mustAppend(t, e, b)
	return &library{engine: e, scribe: newScribe()}
}

// find returns the numbers, counted from 0, of the messages on all pages of a search, and how many pages there were.
func (l *library) find(t *testing.T, q Query) (numbers []int, pages int) {
	t.Helper()
	for {
		found, err := l.Search(&q)
		if err != nil || found.Behind != 0 {
			t.Fatalf("search %+v: %d behind, %v", q, found.Behind, err)
		}
		pages++
		size := 0
		for _, hit := range found.Hits {
			i := slices.IndexFunc(l.rows, func(r Row) bool { return r.Room == hit.Room && r.Seq == hit.Seq })
			if i < 0 || !bytes.Equal(l.rows[i].Record, hit.Record) {
				t.Fatalf("search %+v: hit %d:%d %q is not a row", q, hit.Room, hit.Seq, hit.Record)
			}
			numbers = append(numbers, i)
			size += len(hit.Record)
		}
		if len(found.Hits) > max(1, q.Hits) || len(found.Hits) > 1 && size > q.Bytes {
			t.Errorf("search %+v: a page of %d hits and %d bytes", q, len(found.Hits), size)
		}
		if found.Next == 0 {
			return numbers, pages
		}
		if q.Before != 0 && found.Next >= q.Before {
			t.Fatalf("search %+v goes on at %d", q, found.Next)
		}
		q.Before = found.Next
	}
}

func testSearch(t *testing.T, open func(*testing.T, int64) engine) {
	l := newLibrary(t, open(t, unlimited), 3)
	l.write(t, [3]string{"1", "carol", "The quick brown fox"}, [3]string{"2", "alice", "quickly, the FOX ran"}, [3]string{"1", "bob", "crème brûlée at noon"})
	l.write(t, [3]string{"3", "Carol", "C-3PO and e-mail: 10.0.0.1"}, [3]string{"1", "x", "𞤀𞤁𞤂 𞤃 ꟃ"}, [3]string{"2", "o'brien \"*", "会議は三時"},
		[3]string{"3", "carol", "naïve x NEAR OR and 1 rooms 2"}, [3]string{"1", "", "..."})
	settle(t, l.engine)
	tests := map[string]struct {
		q    Query
		want []int
	}{
		"one word":                  {Query{Words: "fox"}, []int{1, 0}},
		"any case":                  {Query{Words: "FoX"}, []int{1, 0}},
		"the beginning of a word":   {Query{Words: "qui"}, []int{1, 0}},
		"not the end of one":        {Query{Words: "ox"}, nil},
		"all words":                 {Query{Words: "fox ran"}, []int{1}},
		"in whatever order":         {Query{Words: "ran fox quick"}, []int{1}},
		"no accents":                {Query{Words: "creme brulee"}, []int{2}},
		"other accents":             {Query{Words: "crémé"}, []int{2}},
		"next to each other":        {Query{Words: "e-mail"}, []int{3}},
		"not next to each other":    {Query{Words: "and-mail"}, nil},
		"numbers with dots":         {Query{Words: "10.0.0"}, []int{3}},
		"a script of later Unicode": {Query{Words: "𞤀𞤁"}, []int{4}},
		"its other case":            {Query{Words: "𞤢𞤣"}, []int{4}},
		"a letter of later Unicode": {Query{Words: "Ꟃ"}, []int{4}},
		"no spaces":                 {Query{Words: "三時"}, []int{5}},
		"characters apart":          {Query{Words: "時三"}, nil},
		"an operator":               {Query{Words: "NEAR"}, []int{6}},
		"operators":                 {Query{Words: "OR AND"}, []int{6}},
		"a letter that names have":  {Query{Words: "x"}, []int{6}},
		"a number that rooms have":  {Query{Words: "1"}, []int{6, 3}},
		"not the name":              {Query{Words: "carol"}, nil},
		"by name":                   {Query{Name: "carol"}, []int{6, 3, 0}},
		"by name in another case":   {Query{Name: "CAROL", Words: "fox"}, []int{0}},
		"by an odd name":            {Query{Name: "o'brien \"*"}, []int{5}},
		"not part of a name":        {Query{Name: "caro"}, nil},
		"in a room":                 {Query{Room: 2, Words: "fox"}, []int{1}},
		"in a room by name":         {Query{Room: 3, Name: "carol"}, []int{6, 3}},
		"in no room":                {Query{Room: 9, Words: "fox"}, nil},
		"in a room that is allowed": {Query{Words: "fox", Allowed: func(room, _ uint64) bool { return room == 2 }}, []int{1}},
		"from a row on":             {Query{Name: "carol", Room: 3, Allowed: func(_, seq uint64) bool { return seq >= 2 }}, []int{6}},
		"nothing allowed":           {Query{Words: "fox", Allowed: func(_, _ uint64) bool { return false }}, nil},
		"no words":                  {Query{}, nil},
		"no words in a room":        {Query{Room: 1}, nil},
		"signs alone":               {Query{Words: ` ... "" * ( ) `}, nil},
		"no such word":              {Query{Words: "fox zebra"}, nil},
	}
	for name, tt := range tests {
		for _, hits := range []int{1, 2, 100} {
			tt.q.Hits, tt.q.Bytes = hits, 1<<20
			if got, _ := l.find(t, tt.q); !slices.Equal(got, tt.want) {
				t.Errorf("%s, %d at a time: %d, want %d", name, hits, got, tt.want)
			}
		}
	}
}

// testSearchPages compares searches with a look at each row, over a random run.
func testSearchPages(t *testing.T, open func(*testing.T, int64) engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	l := newLibrary(t, open(t, unlimited), 4)
	words := []string{"a", "ab", "abc", "b", "ba", "é", "会", "議", "12", "1"}
	names := []string{"carol", "Carol", "bob", "x"}
	for range 8 {
		var rows [][3]string
		for range 40 {
			var body []string
			for range rng.IntN(5) {
				body = append(body, words[rng.IntN(len(words))])
			}
			rows = append(rows, [3]string{fmt.Sprint(1 + rng.IntN(4)), names[rng.IntN(len(names))], strings.Join(body, " ")})
		}
		l.write(t, rows...)
	}
	settle(t, l.engine)
	for range 100 {
		q := Query{Hits: 1 + rng.IntN(50), Bytes: rng.IntN(3000), Words: words[rng.IntN(len(words))]}
		if rng.IntN(2) == 0 {
			q.Words += " " + words[rng.IntN(len(words))]
		}
		if rng.IntN(3) == 0 {
			q.Room = 1 + rng.Uint64N(5)
		}
		if rng.IntN(3) == 0 {
			q.Name = names[rng.IntN(len(names))]
		}
		if rng.IntN(3) == 0 {
			from := 1 + rng.Uint64N(150)
			q.Allowed = func(room, seq uint64) bool { return room%2 == 0 && seq >= from }
		}
		var want []int
		for i, row := range slices.Backward(l.rows) {
			said := chat.MatchWords(chat.Words(string(row.Body)), chat.QueryTerms(q.Words))
			if said && (q.Room == 0 || q.Room == row.Room) && (q.Name == "" || strings.EqualFold(q.Name, row.Name)) && (q.Allowed == nil || q.Allowed(row.Room, row.Seq)) {
				want = append(want, i)
			}
		}
		if got, _ := l.find(t, q); !slices.Equal(got, want) {
			t.Errorf("search %+v: %d, want %d", q, got, want)
		}
	}
}

// testSearchHostile: whatever a query says, it finds what it says or nothing, and the store goes on.
func testSearchHostile(t *testing.T, open func(*testing.T, int64) engine) {
	l := newLibrary(t, open(t, unlimited), 1)
	l.write(t, [3]string{"1", "carol", "needle"})
	settle(t, l.engine)
	for _, words := range []string{
		`" OR body:* NEAR(`, `needle" OR name:"x`, `{body} : needle`, `^needle`, `needle*`, `-needle`, `+needle`, `NOT needle`, "needle\x00", "\xff\xfe\xf0",
		"'; DROP TABLE doc; --", "body : needle", strings.Repeat("needle ", 9362), strings.Repeat("a", 64<<10), strings.Repeat("a-", 32<<10),
		strings.Repeat(`"`, 64<<10), strings.Repeat("\u0301", 32<<10), strings.Repeat("(", 64<<10), strings.Repeat("a b c d ", 8<<10),
	} {
		q := Query{Words: words, Hits: 10, Bytes: 1 << 20}
		terms := chat.QueryTerms(words)
		want := len(terms) > 0 && len(words) <= chat.MaxQuery && chat.MatchWords([]string{"needle"}, terms)
		if got, _ := l.find(t, q); (len(got) == 1) != want {
			t.Errorf("%.40q finds %d, want one: %t", words, got, want)
		}
		for _, q := range []Query{{Name: words, Hits: 10, Bytes: 1 << 20}, {Name: words, Words: words, Room: 1 << 63, Before: 1 << 63, Hits: -1, Bytes: -1}} {
			if got, _ := l.find(t, q); len(got) > 0 {
				t.Errorf("%.40q as a name finds %d", words, got)
			}
		}
	}
	if got, _ := l.find(t, Query{Words: "needle", Hits: 1, Bytes: 1}); len(got) != 1 {
		t.Errorf("after all of them: %d, want the one row", got)
	}
}

// testSearchBounds: a page has at least one hit if there is any, however small it is to be.
func testSearchBounds(t *testing.T, open func(*testing.T, int64) engine) {
	l := newLibrary(t, open(t, unlimited), 1)
	for range 5 {
		l.write(t, [3]string{"1", "carol", "word " + strings.Repeat("long ", 20)})
	}
	settle(t, l.engine)
	size := len(l.rows[4].Record)
	for _, tt := range []struct{ hits, bytes, pages int }{{10, 1 << 20, 1}, {5, 1 << 20, 1}, {2, 1 << 20, 3}, {0, 1 << 20, 5}, {10, 0, 5}, {10, 2*size + 9, 3}, {-1, -1, 5}} {
		got, pages := l.find(t, Query{Words: "word", Hits: tt.hits, Bytes: tt.bytes})
		if !slices.Equal(got, []int{4, 3, 2, 1, 0}) || pages < tt.pages {
			t.Errorf("%d hits, %d bytes: %d on %d pages, want all on %d", tt.hits, tt.bytes, got, pages, tt.pages)
		}
	}
	found, err := l.Search(&Query{Words: "word", Hits: 5, Bytes: 1 << 20})
	if err != nil || len(found.Hits) != 5 {
		t.Fatal(found, err)
	}
	clear(found.Hits[0].Record) // it is the caller's
	if got, _ := l.find(t, Query{Words: "word", Hits: 5, Bytes: 1 << 20}); len(got) != 5 {
		t.Errorf("after a hit was changed: %d", got)
	}
}
