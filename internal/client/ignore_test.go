package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// idler is a client that never runs.
func idler(s *State) *Client {
	return New(Config{Name: "carol", Key: testKey(), State: s, Rand: &counter{}, Dial: (&rig{}).dial})
}

// called returns a person of a key and name.
func called(n byte, name string) Person { return Person{ID: identity.ID{n}, Name: name} }

// TestIgnored: who is ignored is so by the key, in the next client too, and with another origin and in another log as well.
func TestIgnored(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	c := idler(s)
	for _, err := range []error{
		c.Ignore(called(2, "bob"), true), c.Ignore(called(3, "alice"), true), c.Ignore(called(4, "Bob"), true),
		c.Ignore(called(3, "alice"), false), c.Ignore(called(3, "alice"), false), c.Ignore(called(2, "bob"), true), c.Ignore(called(4, "rob"), true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []Person{called(2, "bob"), called(4, "rob")}
	wants := func(when string, c *Client) {
		t.Helper()
		if diff := cmp.Diff(want, c.Ignored()); diff != "" {
			t.Errorf("%s: mismatch (-want +got):\n%s", when, diff)
		}
	}
	wants("at once", c)
	if err := errors.Join(s.renew([16]byte{7}, nil, "", 0, home{}), s.renew([16]byte{8}, nil, WhyEpoch, 9, home{}), s.retire(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openState(t, dir)
	wants("in the next client", idler(s))
	again := newMemory()
	for _, r := range s.records() {
		if err := again.apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(again.ignored) != 2 {
		t.Errorf("written anew, %d are ignored", len(again.ignored))
	}
	none := idler(nil)
	if err := none.Ignore(called(2, "bob"), true); err != nil || len(none.Ignored()) != 1 {
		t.Errorf("without a State: %v, %v", err, none.Ignored())
	}
}

// TestWhoCanNotBeIgnored: nobody ignores themselves, or more people than are remembered; and a name is one.
func TestWhoCanNotBeIgnored(t *testing.T) {
	c := idler(nil)
	if err := c.Ignore(Person{ID: testKey().ID()}, true); !errors.Is(err, errIgnoreSelf) {
		t.Errorf("oneself: %v", err)
	}
	for _, name := range []string{strings.Repeat("x", maxIgnoredName+1), "\xff"} {
		if err := c.Ignore(called(2, name), true); !isRefusal(err, chat.BadName) {
			t.Errorf("the name %.10q: %v", name, err)
		}
	}
	for i := range maxIgnored {
		if err := c.Ignore(Person{ID: identity.ID{1, byte(i), byte(i >> 8)}, Name: fmt.Sprint(i)}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Ignore(called(2, "bob"), true); !errors.Is(err, errIgnoreMany) {
		t.Errorf("one too many: %v", err)
	}
	if err := c.Ignore(Person{ID: identity.ID{1, 5}, Name: "five"}, true); err != nil {
		t.Errorf("one of them by another name: %v", err)
	}
	if n := len(c.Ignored()); n != maxIgnored {
		t.Errorf("%d are ignored", n)
	}
}

// TestIgnoringIsFiledFirst: what can't be written down does not hold either, and what makes no sense in a file is damage.
func TestIgnoringIsFiledFirst(t *testing.T) {
	s := openState(t, t.TempDir())
	disk := &fullDisk{book: s.journal}
	s.journal = disk
	c := idler(s)
	disk.full.Store(true)
	if err := c.Ignore(called(2, "bob"), true); err == nil || len(c.Ignored()) > 0 {
		t.Errorf("on a full disk: %v, %v", err, c.Ignored())
	}
	whole := ignoreRecord(identity.ID{2}, "bob", true)
	for n := 1; n < len(whole); n++ {
		if err := s.apply(whole[:n]); !errors.Is(err, errNoSense) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	for name, r := range map[string][]byte{
		"something behind it": append(slices.Clone(whole), 0), "neither on nor off": append(slices.Clone(whole[:len(whole)-1]), 2),
		"no name": ignoreRecord(identity.ID{2}, "\xff", true), "a long name": ignoreRecord(identity.ID{2}, strings.Repeat("x", 256), true),
	} {
		if err := s.apply(r); !errors.Is(err, errNoSense) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
