package wire

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

var update = flag.Bool("update", false, "write testdata/wire/vectors.json anew")

const vectorsFile = "../../testdata/wire/vectors.json"

// vector is a record as testdata/wire keeps it for implementations in any language. Hex is the record whole, its length first.
type vector struct {
	Name       string `json:"name"`
	Type       uint8  `json:"type"`
	Stream     string `json:"stream"`
	Diagnostic string `json:"diagnostic"` // RFC 8949, section 8
	Hex        string `json:"hex"`
}

func readVectors(t *testing.T) map[string]vector {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", vectorsFile, err)
	}
	byName := map[string]vector{}
	for _, v := range list {
		byName[v.Name] = v
	}
	if len(byName) != len(list) {
		t.Errorf("%s has a name twice", vectorsFile)
	}
	return byName
}

func writeVectors(t *testing.T) {
	t.Helper()
	var list []vector
	for _, s := range samples() {
		record := Must(nil, s.record)
		diagnostic, err := cbor.Diagnose(record[HeaderLen:])
		if err != nil {
			t.Fatal(err)
		}
		kind, err := Type(record[HeaderLen:])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, vector{s.name, kind, s.stream, diagnostic, hex.EncodeToString(record)})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vectors, seen := readVectors(t), map[uint8]bool{}
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			v := vectors[s.name]
			delete(vectors, s.name)
			want, err := hex.DecodeString(v.Hex)
			if err != nil || len(want) <= HeaderLen {
				t.Fatalf("no vector of this name, or not hexadecimal: %v; -update writes them", err)
			}
			if got := Must(nil, s.record); !cmp.Equal(got, want) {
				t.Errorf("encodes to\n%x\nwant\n%x", got, want)
			}
			if diagnostic, err := cbor.Diagnose(want[HeaderLen:]); err != nil || diagnostic != v.Diagnostic {
				t.Errorf("reads\n%s, %v\nwant\n%s", diagnostic, err, v.Diagnostic)
			}
			got, err := Decode(want[HeaderLen:])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.record, got); diff != "" {
				t.Errorf("decoded mismatch (-want +got):\n%s", diff)
			}
			item, rest, err := readItem(want[HeaderLen:])
			if err != nil || len(rest) > 0 {
				t.Fatalf("the second decoder leaves %d bytes: %v", len(rest), err)
			}
			if diff := cmp.Diff(elements(reflect.ValueOf(s.record)), item); diff != "" {
				t.Errorf("elements mismatch (-want +got):\n%s", diff)
			}
			if kind, err := Type(want[HeaderLen:]); err != nil || kind != v.Type || v.Stream != s.stream {
				t.Errorf("vector is of type %d on %q, want %d on %q (%v)", v.Type, v.Stream, kind, s.stream, err)
			}
			seen[v.Type] = true
		})
	}
	for name := range vectors {
		t.Errorf("vector %s belongs to no sample", name)
	}
	for kind := range makers {
		if !seen[kind] {
			t.Errorf("type %d has no vector", kind)
		}
	}
}

// TestDirections holds that one type is never used both ways on one stream, so that a receiver can tell a misplaced record by its type.
func TestDirections(t *testing.T) {
	stream := map[uint8]string{}
	for name, v := range readVectors(t) {
		if first, ok := stream[v.Type]; ok && first != v.Stream && v.Type != TypeBye {
			t.Errorf("%s: type %d goes %s and %s", name, v.Type, first, v.Stream)
		}
		stream[v.Type] = v.Stream
	}
}

// TestPresenceVectors takes the rooms inside the presence samples apart, which Decode leaves encoded.
func TestPresenceVectors(t *testing.T) {
	var rooms []RoomPresence
	for _, s := range samples() {
		if p, ok := s.record.(*Presence); ok {
			for _, raw := range p.Rooms {
				room, err := DecodeRoomPresence(raw)
				if err != nil {
					t.Fatal(err)
				}
				rooms = append(rooms, room)
			}
		}
	}
	want := []RoomPresence{
		{Room: "lobby", Count: 2, Snapshot: true, Here: []Person{{ID: bobID, Name: "bob"}, {ID: carolID, Name: "carol"}}, Gone: []Person{}, Away: []uint64{}},
		{Room: "lobby", Count: 1, Here: []Person{{ID: carolID, Name: "caroline"}}, Gone: []Person{{ID: bobID, Name: "bob"}}, Away: []uint64{}},
		{Room: "hall", Count: 1234, Snapshot: true, Here: []Person{}, Gone: []Person{}, Away: []uint64{}},
		{Room: "lobby", Count: 2, Here: []Person{{ID: bobID, Name: "bob"}, {ID: carolID, Name: "carol"}}, Gone: []Person{}, Away: []uint64{1}},
	}
	if diff := cmp.Diff(want, rooms); diff != "" {
		t.Errorf("rooms mismatch (-want +got):\n%s", diff)
	}
}

// TestEventsInAnswers takes the events inside the answers apart, which Decode leaves encoded, and refuses what is none.
func TestEventsInAnswers(t *testing.T) {
	want, seen := map[chat.ID]*Event{}, 0
	for _, s := range samples() {
		if e, ok := s.record.(*Event); ok {
			want[e.ID] = e
		}
	}
	for _, s := range samples() {
		var events []Raw
		switch r := s.record.(type) {
		case *HistoryIs:
			events = r.Events
		case *SearchIs:
			events = r.Events
		case *CausalIs:
			events = r.Events
		}
		for _, raw := range events {
			seen++
			e, err := DecodeEvent(raw)
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if diff := cmp.Diff(want[e.ID], e); diff != "" {
				t.Errorf("%s mismatch (-want +got):\n%s", s.name, diff)
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d events in the samples, want 5", seen)
	}
	for _, raw := range []Raw{nil, {0xf6}, {0x80}, {0x18, 0x2a}, {0x82, 0x02, 0x01}, {0x82, 0x18, 0xff, 0x01}, Must(nil, &Ack{})[HeaderLen:]} {
		if e, err := DecodeEvent(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x is %v, %v; want ErrMalformed", raw, e, err)
		}
	}
}

// TestEventSize pins what a text costs on the wire beside its own bytes.
func TestEventSize(t *testing.T) {
	const want = 146
	if got := len(Must(nil, eventOf100())); got != want {
		t.Errorf("an event with a text of 100 bytes takes %d bytes with its length, want %d", got, want)
	}
	large := eventOf100()
	large.Room, large.Seq, large.From, large.CSeq, large.Name = 1<<31, 1<<40, 1<<31, 1<<31, strings.Repeat("é", chat.MaxName)+"~7q2f"
	large.Body, large.Opts.Re = make([]byte, chat.MaxText), make([]byte, 8)
	if got := len(Must(nil, large)); got > chat.MaxText+256 {
		t.Errorf("the largest event takes %d bytes more than its text", got-chat.MaxText)
	}
}
