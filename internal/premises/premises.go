// Package premises is what a node has before it serves anybody: a listener, a store, a key, the other nodes that it was told of, and what it says about
// all that to whoever starts it. It serves nothing.
package premises

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"chatnode/internal/disk"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/profile"
	"chatnode/internal/settings"
	"chatnode/internal/store"
)

// Store is a store that ends with its node.
type Store interface {
	hub.Store
	Close() error
}

// Place is where a node is at home.
type Place struct {
	Store Store
	Key   *identity.Key
	Where string          // its messages are: a file, or InMemory
	Known *identity.Known // which nodes are at the addresses that it is told to link to

	Metrics net.Listener // where it tells how it is doing; nil: nowhere
}

// Close lets go of the place when nobody has moved in.
func (p *Place) Close() error { return errors.Join(p.Store.Close(), shut(p.Metrics)) }

// InMemory is where the messages of an ephemeral node are.
const InMemory = "in memory"

// Listen listens on the address that the flags name. Its error says in plain words why that can't be.
func Listen(address string) (net.Listener, error) {
	return listen(address, settings.WithPort(address), "-listen :8081")
}

// listenMetrics is Listen for who asks how the node is doing. An empty address is none: the listener is nil.
func listenMetrics(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	return listen(address, address, "-metrics :9091")
}

// shut closes a listener, if there is one.
func shut(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// listen listens on the address that was asked for, whole. another is an example of another one.
func listen(asked, address, another string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("cannot listen on %s: another program is using that port; try another one, such as %s", asked, another)
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("cannot listen on %s: that port is not for everyone; try one above 1023", asked)
	case err != nil:
		err = fmt.Errorf("cannot listen on %s: %w", asked, err)
	}
	return listener, err
}

// Admins returns who may do everything on a node: whom the flags name, and whoever has a key of the account that runs it. Those keys are looked up each
// time, as the first of them may be made after the node has started.
func Admins(o *settings.Options) func(identity.ID) bool {
	return func(id identity.ID) bool { return slices.Contains(o.Admins, id) || slices.Contains(profile.Keys(), id) }
}

// Open opens the place that the flags ask for; the caller closes its store, and its listener. moment is called at moments of the store's own. It returns an
// *identity.ChangedError when an invitation names another node than the one that is known at its address.
func Open(o *settings.Options, moment func(string), log *slog.Logger) (_ *Place, err error) {
	watched, err := listenMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	place, dir, err := openStore(o, moment, log)
	if err != nil {
		return nil, errors.Join(err, shut(watched))
	}
	place.Metrics = watched
	if dir == "" {
		place.Known, err = identity.OpenKnown("")
	} else {
		place.Known, _, err = profile.OpenKnown(dir)
	}
	for _, link := range o.Links {
		if err == nil {
			err = place.Known.Pin(link.Address, link.Node)
		}
	}
	if err != nil {
		return nil, errors.Join(err, place.Close())
	}
	return place, nil
}

// openStore opens the store and takes the node's key, and returns the folder that they are in; empty: there is none.
func openStore(o *settings.Options, moment func(string), log *slog.Logger) (_ *Place, dir string, err error) {
	dir = o.Data
	_, port, _ := net.SplitHostPort(settings.WithPort(o.Listen)) // it has been listened on
	if o.Ephemeral || dir == "" && port == "0" {
		key, err := ephemeralKey(o, port)
		return &Place{Store: store.NewMemory(store.DefaultMemory), Key: key, Where: InMemory}, "", err
	}
	if dir == "" {
		if dir, err = disk.DataDir(); err != nil {
			return nil, "", fmt.Errorf("find the folder for messages: %w; -data DIR names one, -ephemeral does without", err)
		}
		dir = filepath.Join(dir, port)
	}
	opt := store.Options{Keep: store.Keep{Age: o.KeepAge}, Total: o.KeepSize, Log: log, Moment: moment}
	kept, key, err := openKept(dir, o.Identity, opt)
	if err != nil {
		return nil, "", err
	}
	opened := kept.Opened()
	if others := store.Siblings(dir); opened.New && o.Data == "" && len(others) > 0 {
		log.Info("this store is new; others are beside it", "others", strings.Join(others, ", "))
	}
	if opened.Copy != "" {
		log.Info("the store is of a new schema now", "was", opened.From, "copy", opened.Copy)
	}
	if opened.Restored {
		log.Info("the store was restored from a backup: clients will see a reset")
	}
	return &Place{Store: kept, Key: key, Where: opened.File}, dir, nil
}

// openKept opens the store in dir and takes the node's key out of it, which is made, or read from the file keyFile, the first time.
func openKept(dir, keyFile string, opt store.Options) (_ *store.SQLite, _ *identity.Key, err error) {
	kept, err := store.Open(dir, opt)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, kept.Close())
		}
	}()
	given, err := keyFrom(keyFile)
	if err != nil {
		return nil, nil, err
	}
	text, err := kept.NodeKey(given.Text())
	if err != nil {
		return nil, nil, err
	}
	key, err := identity.ParseKey(text)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the node's key in %s: %w", kept.Opened().File, err)
	case keyFile != "" && key.ID() != given.ID():
		return nil, nil, fmt.Errorf("the store in %s belongs to node %s, and %s is the key of %s; leave -identity out, or use another -data", dir, key.ID(), keyFile, given.ID())
	}
	return kept, key, nil
}

// keyFrom returns the key in keyFile, which is made when it is not there, or a new key that no file holds.
func keyFrom(keyFile string) (*identity.Key, error) {
	if keyFile == "" {
		return identity.NewKey(rand.Reader)
	}
	return identity.LoadOrMake(keyFile, rand.Reader)
}

// ephemeralKey returns the key of a node that keeps nothing else: one of its port, so that clients find the same node there when it is started again. On
// port 0, or where no file can be, it is a new one.
func ephemeralKey(o *settings.Options, port string) (*identity.Key, error) {
	dir, err := disk.DataDir()
	if o.Identity != "" || port == "0" || err != nil {
		return keyFrom(o.Identity)
	}
	dir = filepath.Join(dir, port)
	file := filepath.Join(dir, "ephemeral.key")
	if disk.MakeDir(dir) != nil {
		return keyFrom("")
	}
	key, err := keyFrom(file)
	if _, missing := os.Lstat(file); err != nil && errors.Is(missing, fs.ErrNotExist) {
		return keyFrom("")
	}
	return key, err
}
