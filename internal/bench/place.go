package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"chatnode/internal/disk"
)

// place is a folder for stores that are measured. It is made for that and goes with all that is in it.
type place struct {
	dir   string
	above string // the folder that was made for it too; empty: none
}

// newPlace makes a place in dir, or, when that is empty, where a node's stores are without -data: so it is their disk that is measured.
func newPlace(dir string) (*place, error) {
	p := &place{}
	if dir == "" {
		var err error
		if dir, err = disk.DataDir(); err != nil {
			return nil, err
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			p.above = dir
		}
		if err := disk.MakeDir(dir); err != nil {
			return nil, err
		}
	}
	var err error
	p.dir, err = os.MkdirTemp(dir, "bench-")
	return p, err
}

// folder makes a folder of its own for one store.
func (p *place) folder() (string, error) { return os.MkdirTemp(p.dir, "store-") }

// remove ends the place.
func (p *place) remove() error {
	err := os.RemoveAll(p.dir)
	if p.above != "" {
		_ = os.Remove(p.above) // which fails when somebody has begun to use it, as it should
	}
	return err
}

// syncSize is what is written between two syncs: a page of SQLite's.
const syncSize = 4 << 10

// syncs returns how often in a second the disk can be given syncSize bytes more and made to keep them, one after the other, measured over d.
func (p *place) syncs(ctx context.Context, d time.Duration) (perSecond float64, err error) {
	file, err := os.Create(filepath.Join(p.dir, "syncs"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	page := make([]byte, syncSize)
	began, n := time.Now(), 0
	for n == 0 || time.Since(began) < d {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, fmt.Errorf("sync %s: %w", file.Name(), err)
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
