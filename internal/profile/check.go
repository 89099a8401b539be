package profile

import (
	"fmt"
	"sync"

	"chatnode/internal/identity"
)

// Check returns what a dialer asks about whoever answers at an address, by its key: that it is the node which is known there. An error ends the link; an
// *identity.ChangedError is for the user. tell is given a sentence for the user when a node is met that nobody has named before, and once when what is
// known can't be written; it may be called from any goroutine.
func Check(known *identity.Known, tell func(note string)) func(address string, node identity.ID) error {
	var unsaved sync.Once
	return func(address string, node identity.ID) error {
		first, err := known.Check(address, node)
		if err != nil {
			return err
		}
		if first {
			tell(fmt.Sprintf("first time at %s: the node is %s; compare that with what the node printed", address, node.Grouped()))
		}
		if why := known.Unsaved(); why != nil {
			unsaved.Do(func() {
				tell(fmt.Sprintf("which node is at %s is remembered until this chatnode ends: %v", address, why))
			})
		}
		return nil
	}
}
