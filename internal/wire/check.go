package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math"

	"chatnode/internal/chat"
)

// Bounds on what nodes send one another. Whoever builds a record keeps to them, so that it fits into MaxRecord; one that does not is malformed.
const (
	// MaxEntry bounds an encoded Entry, in bytes. Two of them fit into a Fork, so that no log can say two things that can't be proven.
	MaxEntry = 30 << 10
	// MaxLogRoom bounds Log.Room, in bytes.
	MaxLogRoom = 160
	// MaxEntryName bounds Entry.Name, in bytes: chat.MaxName characters and a suffix.
	MaxEntryName = 128
	// MaxBody bounds Signed.Body, in bytes.
	MaxBody = chat.MaxSealed
	// MaxEntries bounds a Want, and an Entries.
	MaxEntries = 512
	// MaxHeads bounds a Digests and a Heads.
	MaxHeads = 256
	// MaxGrown bounds a Have and a Lazy.
	MaxGrown = 1024
	// MaxMarkHeads bounds a Mark and a Moved: of a room that has more logs no Mark is sent.
	MaxMarkHeads = 512
	// MaxHost bounds a host:port, in bytes, MaxAddressRecord encoded SignedAddresses.
	MaxHost          = 261
	MaxAddressRecord = 34 + 66 + 9 + MaxHosts*(MaxHost+3) + 4
	// MaxPeers bounds a PeersAre, MaxNote the Note of each, in bytes.
	MaxPeers = 64
	MaxNote  = 390
	// MaxCounts bounds each list of a NodeStats, MaxWhat a Count.What, in bytes.
	MaxCounts = 64
	MaxWhat   = 32
	// MaxCount is the highest number of an entry, a row, an origin and the like: no store counts so far, and every one can keep it.
	MaxCount = 1<<53 - 1
)

// idPrefix is how many bytes of an EntryID a Dep and a Head have.
const idPrefix = 16

// actSigLen is identity.ActSigLen.
const actSigLen = ed25519.PublicKeySize + ed25519.SignatureSize

// malformed returns an error that wraps ErrMalformed unless ok.
func malformed(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}

// first returns the first of some errors, which are values of checks that cost nothing.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// either reports whether b has n bytes, or none.
func either(b []byte, n int) bool { return len(b) == 0 || len(b) == n }

// counts reports whether n is a number that something has from 1 on.
func counts(n uint64) bool { return n >= 1 && n <= MaxCount }

// checker is a record that may have been decoded and yet not be what its type asks for.
type checker interface{ check() error }

func (r *Event) check() error {
	n := len(r.Opts.Gone)
	return first(
		malformed(n == 0 || n == sha256.Size && len(r.Body) == 0, "what is left of a text that was taken away is not a hash alone"),
		r.Opts.check())
}

func (r *Pub) check() error { return r.Opts.check() }

func (o *Opts) check() error {
	return first(malformed(either(o.Re, len(chat.ID{})), "the id of the message answered is not 8 bytes long"), o.As.check())
}

func (a *As) check() error {
	return malformed(a == nil || len(a.Origin) == 16, "the name of an origin is not 16 bytes long")
}

func (r *Open) check() error {
	next := r.From
	for _, seen := range r.Seen {
		if seen[0] < next || seen[1] < seen[0] || seen[1] == math.MaxUint64 {
			return malformed(false, "what was seen is out of order")
		}
		next = seen[1] + 1
	}
	return malformed(len(r.Seen) <= MaxSeen, "too much was seen")
}

func (r *Join) check() error {
	return malformed(r.Moved == nil || len(r.Moved.Heads) <= MaxMarkHeads && len(r.Moved.IDs) <= MaxMovedIDs && len(r.Moved.Pairs) <= MaxMovedPairs, "too much was seen")
}

func (r *Mark) check() error {
	return malformed(len(r.Heads) <= MaxMarkHeads, "too many logs in a mark")
}

func (r *Nodes) check() error {
	if len(r.Nodes) > MaxAddresses {
		return malformed(false, "too many nodes")
	}
	for _, n := range r.Nodes {
		if err := first(malformed(len(n.Node) == sha256.Size, "a node's id is not 32 bytes long"), checkHosts(n.Hosts)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Causal) check() error {
	return malformed(len(r.After) <= 64, "the place in a causal list is too long")
}

func (r *PeersAre) check() error {
	for i := range r.Peers {
		if err := malformed(either(r.Peers[i].Node, sha256.Size), "a node's id is not 32 bytes long"); err != nil {
			return err
		}
	}
	return malformed(either(r.Space, 16) && len(r.Peers) <= MaxPeers, "too many peers, or a space that is not 16 bytes long")
}

func (r *StatsAre) check() error {
	if len(r.Work) == 0 {
		return nil
	}
	for _, counts := range [][]Count{r.Work[0].Refused, r.Work[0].TurnedAway, r.Work[0].Dropped} {
		for _, c := range counts {
			if len(c.What) > MaxWhat {
				return malformed(false, "what is counted has too long a name")
			}
		}
		if len(counts) > MaxCounts {
			return malformed(false, "too much is counted")
		}
	}
	return malformed(len(r.Work) == 1, "a node works twice")
}

// Records of a peer stream. One whose first element says another version is the judge's alone: what else is in it is not looked at.

func (r *Peer) check() error {
	if r.Version != Version {
		return nil
	}
	return first(
		malformed(len(r.Space) == 16, "a space is not 16 bytes long"),
		malformed(len(r.Key) == ed25519.PublicKeySize, "a node's key is not 32 bytes long"),
		malformed(len(r.Title) <= chat.MaxTitle, "a node's title is too long"),
		malformed(either(r.Token, TokenLen), "a token is not 16 bytes long"),
		malformed(len(r.Record) <= MaxAddressRecord, "a node's addresses are too long"))
}

func (r *Digests) check() error {
	for i := range r.Rooms {
		if err := checkRoom(r.Rooms[i].Room); err != nil {
			return err
		}
	}
	return malformed(len(r.Rooms) <= MaxHeads, "too many digests")
}

func (r *Heads) check() error {
	if err := first(malformed(len(r.Heads) <= MaxHeads, "too many heads"), checkRoom(r.Room)); err != nil {
		return err
	}
	for i := range r.Heads {
		h := &r.Heads[i]
		if err := first(h.check(), malformed(h.Log.Room == r.Room, "a head of another room")); err != nil {
			return err
		}
	}
	return nil
}

func (h *Head) check() error {
	return first(h.Log.check(),
		malformed(h.Seq <= MaxCount && counts(h.Low) && h.Low <= h.Seq+1, "a head below its log's first entry"),
		malformed(len(h.ID) == idPrefix || h.Seq == 0 && len(h.ID) == 0, "the id of a head is not 16 bytes long"))
}

func (l *Log) check() error {
	return first(malformed(len(l.Node) == ed25519.PublicKeySize, "a node's key is not 32 bytes long"), checkRoom(l.Room))
}

func checkRoom(name string) error {
	return malformed(name != "" && len(name) <= MaxLogRoom, "a room without a name, or with one that is too long")
}

func (r *Want) check() error {
	return malformed(r.To == 0 && r.From <= MaxCount || counts(r.From) && counts(r.To) && r.From <= r.To && r.To-r.From < MaxEntries, "entries that nobody can want")
}

func (r *Entries) check() error {
	if n := len(r.List); n == 0 || n > MaxEntries || !counts(r.First) || !counts(r.First+uint64(n)-1) {
		return malformed(false, "too many entries, none, or a wrong number")
	}
	for i := range r.List {
		if err := r.List[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Signed) check() error {
	return first(
		malformed(len(s.Entry) > 0 && len(s.Entry) <= MaxEntry, "an entry is empty or too long"),
		malformed(len(s.Sig) == ed25519.SignatureSize, "a signature is not 64 bytes long"),
		malformed(len(s.Salt) == 16 || len(s.Salt) == 0 && len(s.Body) == 0, "a salt is not 16 bytes long, or there is a text without one"),
		malformed(len(s.Body) <= MaxBody, "a text is too long"))
}

func (r *Have) check() error {
	for _, g := range r.Logs {
		if !counts(g.Seq) {
			return malformed(false, "a log that has grown to nothing")
		}
	}
	return malformed(len(r.Logs) <= MaxGrown, "too many logs")
}

func (r *Lazy) check() error { return malformed(len(r.Logs) <= MaxGrown, "too many logs") }

func (r *Trimmed) check() error { return malformed(counts(r.Low), "a log that begins nowhere") }

func (r *Fork) check() error {
	return first(r.Log.check(), r.A.check(), r.B.check(), malformed(len(r.A.Salt)+len(r.B.Salt) == 0, "a fork with texts"))
}

func (r *Addresses) check() error {
	for _, b := range r.List {
		if len(b) == 0 || len(b) > MaxAddressRecord {
			return malformed(false, "a node's addresses are empty or too long")
		}
	}
	return malformed(len(r.List) <= MaxAddresses, "too many nodes")
}

func (r *PeerPeople) check() error {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if err := malformed(len(n.Node) == sha256.Size && len(n.Title) <= chat.MaxTitle && len(n.People) <= MaxAbroad, "a node that is none, or too many people"); err != nil {
			return err
		}
		for j := range n.People {
			p := &n.People[j]
			if len(p.Key) != sha256.Size || !either(p.Card, CardLen) || len(p.Name) > MaxEntryName || len(p.Rooms) > MaxAbroadRooms {
				return malformed(false, "somebody abroad who is nobody")
			}
		}
	}
	return nil
}

func checkHosts(hosts []string) error {
	for _, h := range hosts {
		if h == "" || len(h) > MaxHost {
			return malformed(false, "an address is empty or too long")
		}
	}
	return malformed(len(hosts) <= MaxHosts, "too many addresses")
}

// Check returns an error that wraps ErrMalformed for an entry that is wrong whatever stands before it: lengths, and numbers that nothing has. It looks
// neither at the signature nor at the text, and does not know whether there is what the entry builds on.
func (e *Entry) Check() error {
	err := first(
		malformed(counts(e.Seq) && counts(e.Lamport) && e.Lamport >= e.Seq, "an entry's number is none"),
		malformed(len(e.Prev) == len(EntryID{}) && e.Seq > 1 || len(e.Prev) == 0 && e.Seq == 1, "what stands before an entry is not 32 bytes long, or before the first"),
		malformed(len(e.Deps) <= MaxDeps, "an entry depends on too many others"),
		malformed(counts(e.Row) && counts(e.Num) && e.From <= MaxCount && e.CSeq <= MaxCount && e.Time >= 0 && e.Time <= MaxCount, "a row's number is none"),
		malformed(e.Name != "" && len(e.Name) <= MaxEntryName, "a name is empty or too long"),
		malformed(e.Kind != 0 && e.Kind != chat.Skip, "a kind that leaves no row"),
		malformed(either(e.Re, len(chat.ID{})), "the id of the message answered is not 8 bytes long"),
		malformed(len(e.Author) == sha256.Size, "the id of an author is not 32 bytes long"),
		malformed(len(e.Origin) == 16, "the name of an origin is not 16 bytes long"),
		malformed(len(e.Sum) == sha256.Size, "the hash of a text is not 32 bytes long"))
	if err != nil {
		return err
	}
	for i := range e.Deps {
		if err := e.Deps[i].check(); err != nil {
			return err
		}
	}
	return e.Opts.check(e.Kind == chat.Act)
}

func (o *EntryOpts) check(act bool) error {
	for _, id := range o.With {
		if len(id) != sha256.Size {
			return malformed(false, "the id of a member is not 32 bytes long")
		}
	}
	return first(o.As.check(), o.Target.check(),
		malformed(act || len(o.Sig) == 0 && o.Target == nil && len(o.With) == 0 && !o.Admin, "what only acts have"),
		malformed(either(o.Sig, actSigLen), "the signature of an act is not 96 bytes long"),
		malformed(len(o.With) <= MaxWith, "too many members"),
		malformed(either(o.Owner, sha256.Size) && o.Made >= 0 && o.Made <= MaxCount, "an owner who is none"))
}

func (d *Dep) check() error {
	return malformed(d == nil || counts(d.Seq) && len(d.ID) == idPrefix, "the id of another entry is not 16 bytes long")
}

// Entries decodes the two entries of a proof, and returns an error that wraps ErrMalformed unless they are two of one place, well-formed and in their
// order. Their signatures are the caller's to check.
func (f *Fork) Entries() (a, b *Entry, err error) {
	if a, err = DecodeEntry(f.A.Entry); err != nil {
		return nil, nil, err
	}
	if b, err = DecodeEntry(f.B.Entry); err != nil {
		return nil, nil, err
	}
	log := f.Log.ID()
	one, other := EntryIDOf(log, f.A.Entry), EntryIDOf(log, f.B.Entry)
	err = first(f.check(), a.Check(), b.Check(),
		malformed(a.Seq == b.Seq, "a fork of two places"), malformed(bytes.Compare(one[:], other[:]) < 0, "a fork of one entry, or out of order"))
	if err != nil {
		return nil, nil, err
	}
	return a, b, nil
}
