package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// TestDecodeChecksBounds spoils one thing of a good record at a time, so that no reader of a peer stream has to look at lengths.
func TestDecodeChecksBounds(t *testing.T) {
	good := map[string]Record{}
	for _, s := range samples() {
		good[s.name] = s.record
	}
	all, _ := story()
	head, entry := all[1].head(), all[0].signed
	long := strings.Repeat("x", MaxHost+1)
	for name, r := range map[string]Record{
		"peer: space":           &Peer{Version: Version, Space: space[:15], Key: plantLog.Node},
		"peer: key":             &Peer{Version: Version, Space: space, Key: plantLog.Node[:31]},
		"peer: title":           &Peer{Version: Version, Space: space, Key: plantLog.Node, Title: strings.Repeat("t", chat.MaxTitle+1)},
		"peer: token":           &Peer{Version: Version, Space: space, Key: plantLog.Node, Token: counting(0, 15)},
		"peer: record":          &Peer{Version: Version, Space: space, Key: plantLog.Node, Record: make([]byte, MaxAddressRecord+1)},
		"digests: no room":      &Digests{Rooms: []RoomDigest{{}}},
		"digests: long room":    &Digests{Rooms: []RoomDigest{{Room: strings.Repeat("r", MaxLogRoom+1)}}},
		"digests: too many":     &Digests{Rooms: slices.Repeat([]RoomDigest{{Room: "a"}}, MaxHeads+1)},
		"heads: another room":   &Heads{Room: "annex", Heads: []Head{head}},
		"heads: no room":        &Heads{},
		"heads: low of none":    &Heads{Room: "lobby", Heads: []Head{{Log: plantLog, Seq: 1, ID: head.ID}}},
		"heads: low above":      &Heads{Room: "lobby", Heads: []Head{{Log: plantLog, Low: 3, Seq: 1, ID: head.ID}}},
		"heads: half an id":     &Heads{Room: "lobby", Heads: []Head{{Log: plantLog, Low: 1, Seq: 1, ID: head.ID[:8]}}},
		"heads: no id":          &Heads{Room: "lobby", Heads: []Head{{Log: plantLog, Low: 1, Seq: 1}}},
		"heads: too high":       &Heads{Room: "lobby", Heads: []Head{{Log: plantLog, Low: 1, Seq: MaxCount + 1, ID: head.ID}}},
		"heads: half a key":     &Heads{Room: "lobby", Heads: []Head{{Log: Log{Node: plantLog.Node[:16], Room: "lobby"}, Low: 1, Seq: 1, ID: head.ID}}},
		"heads: too many":       &Heads{Room: "lobby", Heads: slices.Repeat([]Head{head}, MaxHeads+1)},
		"want: from nothing":    &Want{To: 1},
		"want: backwards":       &Want{From: 2, To: 1},
		"want: too many":        &Want{From: 1, To: MaxEntries + 1},
		"want: too high":        &Want{From: MaxCount + 1, To: MaxCount + 1},
		"entries: none":         &Entries{First: 1},
		"entries: from nothing": &Entries{List: []Signed{entry}},
		"entries: too high":     &Entries{First: MaxCount, List: []Signed{entry, entry}},
		"entries: too many":     &Entries{First: 1, List: slices.Repeat([]Signed{{Entry: []byte{1}, Sig: entry.Sig}}, MaxEntries+1)},
		"entries: no entry":     &Entries{First: 1, List: []Signed{{Sig: entry.Sig}}},
		"entries: a long one":   &Entries{First: 1, List: []Signed{{Entry: make([]byte, MaxEntry+1), Sig: entry.Sig}}},
		"entries: no signature": &Entries{First: 1, List: []Signed{{Entry: entry.Entry}}},
		"entries: half a salt":  &Entries{First: 1, List: []Signed{{Entry: entry.Entry, Sig: entry.Sig, Salt: entry.Salt[:8]}}},
		"entries: bare text":    &Entries{First: 1, List: []Signed{{Entry: entry.Entry, Sig: entry.Sig, Body: entry.Body}}},
		"entries: long text":    &Entries{First: 1, List: []Signed{{Entry: entry.Entry, Sig: entry.Sig, Salt: entry.Salt, Body: make([]byte, MaxBody+1)}}},
		"have: nothing":         &Have{Logs: []Grown{{}}},
		"have: too many":        &Have{Logs: slices.Repeat([]Grown{{Seq: 1}}, MaxGrown+1)},
		"lazy: too many":        &Lazy{Logs: make([]LogID, MaxGrown+1)},
		"trimmed: nowhere":      &Trimmed{},
		"fork: with a text":     &Fork{Log: plantLog, A: entry, B: bare(entry)},
		"fork: no log":          &Fork{A: bare(entry), B: bare(entry)},
		"addresses: empty":      &Addresses{List: [][]byte{{}}},
		"addresses: long":       &Addresses{List: [][]byte{make([]byte, MaxAddressRecord+1)}},
		"addresses: too many":   &Addresses{List: slices.Repeat([][]byte{{1}}, MaxAddresses+1)},
		"people: no node":       &PeerPeople{Nodes: []NodePeople{{}}},
		"people: no key":        &PeerPeople{Nodes: []NodePeople{{Node: bobID, People: []Abroad{{Name: "bob"}}}}},
		"people: half a card":   &PeerPeople{Nodes: []NodePeople{{Node: bobID, People: []Abroad{{Key: bobID, Card: bobCard[:64]}}}}},
		"people: long name":     &PeerPeople{Nodes: []NodePeople{{Node: bobID, People: []Abroad{{Key: bobID, Name: long}}}}},
		"people: many rooms":    &PeerPeople{Nodes: []NodePeople{{Node: bobID, People: []Abroad{{Key: bobID, Rooms: make([]string, MaxAbroadRooms+1)}}}}},
		"people: too many":      &PeerPeople{Nodes: []NodePeople{{Node: bobID, People: slices.Repeat([]Abroad{{Key: bobID}}, MaxAbroad+1)}}},
		"people: long title":    &PeerPeople{Nodes: []NodePeople{{Node: bobID, Title: long}}},
		"mark: too many":        &Mark{Heads: make([]Grown, MaxMarkHeads+1)},
		"join: too many heads":  &Join{Room: "a", Moved: &Moved{Heads: make([]Grown, MaxMarkHeads+1)}},
		"join: too many pairs":  &Join{Room: "a", Moved: &Moved{Pairs: make([]As, MaxMovedPairs+1)}},
		"join: too many ids":    &Join{Room: "a", Moved: &Moved{IDs: make([]chat.ID, MaxMovedIDs+1)}},
		"open: backwards":       &Open{From: 1, Seen: [][2]uint64{{2, 1}}},
		"open: before from":     &Open{From: 3, Seen: [][2]uint64{{2, 3}}},
		"open: overlapping":     &Open{From: 1, Seen: [][2]uint64{{2, 3}, {3, 4}}},
		"open: to the end":      &Open{From: 1, Seen: [][2]uint64{{2, 1<<64 - 1}}},
		"nodes: no id":          &Nodes{Nodes: []NodeAt{{Hosts: []string{"a:1"}}}},
		"nodes: long address":   &Nodes{Nodes: []NodeAt{{Node: bobID, Hosts: []string{long}}}},
		"nodes: many addresses": &Nodes{Nodes: []NodeAt{{Node: bobID, Hosts: slices.Repeat([]string{"a:1"}, MaxHosts+1)}}},
		"nodes: too many":       &Nodes{Nodes: slices.Repeat([]NodeAt{{Node: bobID}}, MaxAddresses+1)},
		"causal: long place":    &Causal{After: make([]byte, 65)},
		"peers: half an id":     &PeersAre{Peers: []PeerInfo{{Node: bobID[:16]}}},
		"peers: half a space":   &PeersAre{Space: space[:8]},
		"stats: twice":          &StatsAre{Work: make([]NodeStats, 2)},
		"stats: too many":       &StatsAre{Work: []NodeStats{{Dropped: make([]Count, MaxCounts+1)}}},
		"stats: a long name":    &StatsAre{Work: []NodeStats{{Refused: []Count{{What: strings.Repeat("x", MaxWhat+1)}}}}},
		"peers: too many":       &PeersAre{Peers: make([]PeerInfo, MaxPeers+1)},
		"pub: as nobody":        &Pub{Opts: Opts{As: &As{CSeq: 1}}},
		"event: as nobody":      &Event{Opts: Opts{As: &As{Origin: counting(0, 15)}}},
	} {
		if got, err := Decode(Must(nil, r)[HeaderLen:]); got != nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v, want ErrMalformed", name, got, err)
		}
	}
	later := &Peer{Version: Version + 1, Key: plantLog.Node}
	if _, err := Decode(Must(nil, later)[HeaderLen:]); err != nil {
		t.Errorf("a peer of a later version, who is to be told so: %v", err)
	}
	three := Must(nil, good["open-moved"])[HeaderLen:]
	if at := len(three) - 6; three[at] != 0x82 || three[at-1] != 0x82 {
		t.Fatalf("%x does not end in two ranges", three)
	}
	for name, tail := range map[string][]byte{"of one": {0x81, 0x81, 2}, "of three": {0x81, 0x83, 2, 3, 4}, "of bytes": {0x81, 0x42, 2, 3}, "as numbers": {0x82, 2, 3}} {
		if _, err := Decode(append(slices.Clone(three[:len(three)-7]), tail...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("a range %s: %v, want ErrMalformed", name, err)
		}
	}
}
