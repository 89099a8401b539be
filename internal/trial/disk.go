package trial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

const (
	// smallDisk is the size of a disk that fills up in a moment, ballast how much of it is taken by something else at first.
	smallDisk = 32 << 20
	ballast   = 24 << 20
	// reserve is what a node leaves free. It looks once a second, so its disk has to be slow, or there would be nothing left by then.
	reserve  = "4MB"
	slowDisk = 10 * time.Millisecond
	// mostFile and leastFile bound what a file of a node may grow to. A write-ahead log is begun anew before it is larger.
	leastFile, mostFile = 200 << 10, 3 << 20
	shortLives          = 4
)

// DiskFills has clients flood a node that keeps no reserve, on a small disk of its own, until nothing fits any more: the node ends and says why, and
// goes on where it was when there is room again. Nothing that was acknowledged is lost.
func DiskFills(t testing.TB, house House) {
	tr := begin(t, house)
	free := tr.smallDisk()
	c := tr.gather("alice", "bob", "carol", "dave")
	c.talk(0)
	tr.endsAlone(tr.up(Orders{}), 1)
	c.enough()
	free()
	c.comeThrough()
}

// SpaceRunsLow has clients flood a node on a small disk down to its reserve: nothing more is taken, everyone is told so, once, and reads on. It
// ends by itself when there is room.
func SpaceRunsLow(t testing.TB, house House) {
	tr := begin(t, house)
	free := tr.smallDisk()
	c := tr.gather("alice", "bob", "carol", "dave")
	node := tr.up(Orders{Slow: slowDisk}, "-keep-free", reserve)
	c.talk(0)
	c.await("all to be told that there is no room", func() bool { return c.told(chat.NoSpace) })
	c.enough()
	reader := c.add("zoe")
	c.await("one who comes meanwhile to see what there is", func() bool { return reader.last.Seq > 0 })
	c.mu.Lock()
	head, waiting := reader.last.Seq, 0
	for _, m := range c.members {
		waiting += int(m.Pending())
	}
	c.mu.Unlock()
	if waiting == 0 {
		t.Error("nobody waits to be answered, with no room on the disk")
	}
	free()
	c.await("all to be told that there is room", func() bool { return c.told(chat.OK) })
	c.settle()
	for _, m := range c.members {
		if m != reader && len(m.notices) != 2 {
			t.Errorf("%s was told %v, want one notice at the beginning and one at the end", m.name, m.notices)
		}
	}
	if reader.last.Seq <= head {
		t.Errorf("nothing came behind row %d when there was room again", head)
	}
	tr.kill(node)
	c.judge()
}

// told reports whether every member was told a notice of this code. c.mu is held.
func (c *crowd) told(code chat.Code) bool {
	for _, m := range c.members {
		if !slices.ContainsFunc(m.notices, func(n client.Notice) bool { return n.Code == code }) {
			return false
		}
	}
	return true
}

// smallDisk has the node's data on a disk of its own, and returns what makes room on it.
func (tr *trial) smallDisk() (free func()) {
	tr.Helper()
	tr.check(os.MkdirAll(tr.dir, 0o700))
	unmount, err := mount(tr.dir, smallDisk)
	if err != nil {
		tr.cannot(err)
	}
	tr.Cleanup(func() {
		tr.endAll()
		if err := unmount(); err != nil {
			tr.Error(err)
		}
	})
	other := filepath.Join(tr.dir, "ballast")
	tr.check(os.WriteFile(other, make([]byte, ballast), 0o600))
	return func() {
		tr.note("there is room on the disk")
		tr.check(os.Remove(other))
	}
}

// endsAlone waits for a node to end by itself, with one of the exit codes and a sentence as its last words.
func (tr *trial) endsAlone(p *process, codes ...int) {
	tr.Helper()
	code := tr.over(p)
	said := p.Said()
	last := said[strings.LastIndexByte(said, '\n')+1:]
	for _, want := range codes {
		if code == want && strings.HasPrefix(last, "chatnode: ") {
			tr.note("its last words: %s", last)
			return
		}
	}
	tr.Fatalf("the node ends with %d, want one of %v, and its last words are %q", code, codes, last)
}

// ShortWrites has clients flood a node whose files can't grow beyond a random size: writes fall short, and then fail.
func ShortWrites(t testing.TB, house House) {
	if err := limitFiles(noLimit); err != nil {
		begin(t, house).cannot(err)
	}
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol", "dave")
	c.talk(0)
	for range shortLives {
		node, err := tr.rise(Orders{FileSize: leastFile + tr.random.Uint64N(mostFile-leastFile)})
		if errors.Is(err, errLate) {
			t.Fatal(err)
		}
		tr.endsAlone(node, 1, 3)
	}
	c.comeThrough()
}

// AppendFails has clients flood a node whose disk fails in the middle of it: with nothing of the batch written, or with all of it. Either way nobody
// is told that it is kept, and the node ends; what became of it shows when it is started again.
func AppendFails(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol", "dave")
	stop := c.annoy(annoyance)
	c.talk(0)
	for range 2 {
		tr.endsAlone(tr.up(Orders{FailAppend: 10 + tr.random.Uint64N(mostAppends)}), 1)
		tr.endsAlone(tr.up(Orders{FailKept: 10 + tr.random.Uint64N(mostAppends)}), 1)
	}
	stop()
	c.comeThrough()
}

// ReadFails has clients that come and go read from a disk that fails in the middle of it.
func ReadFails(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol", "dave")
	stop := c.annoy(annoyance)
	c.talk(0)
	for range 2 {
		tr.endsAlone(tr.up(Orders{FailRead: 1 + tr.random.Uint64N(10)}), 1)
	}
	stop()
	c.comeThrough()
}

// comeThrough starts a sound node once more, and sees that everybody has everything and that nothing is lost.
func (c *crowd) comeThrough() {
	node := c.up(Orders{})
	c.settle()
	c.kill(node)
	c.judge()
	c.expectNothingLost()
}
