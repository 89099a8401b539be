package bench

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// fakeStore is the store of a fake node.
type fakeStore struct {
	opened *store.SQLite
	epoch  uint64
	head   uint64

	mu     sync.Mutex
	scribe *scribe // nil when there is a past already
}

func openFakeStore(dir string) (*fakeStore, error) {
	opened, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, err
	}
	state, err := opened.Load()
	f := &fakeStore{opened: opened, epoch: state.Epoch}
	if len(state.Rooms) > 0 {
		f.head = state.Rooms[0].Head
	} else if err == nil {
		f.scribe, err = newScribe(opened)
	}
	return f, err
}

func (f *fakeStore) close() { f.opened.Close() }

// keep puts one message into the next commit.
func (f *fakeStore) keep(body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.scribe == nil { // what is said on top of a past is not kept
		return
	}
	f.scribe.write(0, bytes.Clone(body), time.Now())
}

func (f *fakeStore) commit() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.scribe == nil {
		return nil
	}
	return f.scribe.commit()
}

// sendAll sends the room from behind a cursor on, but for the last one if that is the fault, and then what comes.
func (f *fakeStore) sendAll(c *fakeConn, name string, from *wire.Cursor) error {
	if from.Epoch != f.epoch || (from.Seq == 0) != (from.Hash == chat.Hash{}) {
		return errors.New("that is no place in the room")
	}
	c.send(chatID, wire.Must(nil, &wire.Open{Room: 1, Name: name, From: from.Seq + 1, Head: f.head, Low: 1}))
	last := f.head
	if c.node.fault == "breaks off" {
		last--
	}
	go func() { // ends with the room, or with the process
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		for seq := from.Seq + 1; seq <= last; {
			records, next, err := f.opened.Page(1, seq, last, 4000)
			if err != nil {
				c.conn.Close()
				return
			}
			c.send(chatID, records)
			seq = next
		}
		room := c.node.room(name)
		room.readers = append(room.readers, c)
	}()
	return nil
}

// welcome is what a fake node welcomes somebody with.
func (n *fakeNode) welcome(c *fakeConn) *wire.Welcome {
	w := &wire.Welcome{Version: wire.Version, Name: c.hello.Name, From: c.number}
	if n.kept != nil {
		w.Epoch = n.kept.epoch
	}
	return w
}
