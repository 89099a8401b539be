package client

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// maxIgnored bounds whom a user can ignore, and maxIgnoredName, in bytes, the name that is kept with a key: a name with its suffix fits.
const (
	maxIgnored     = 1024
	maxIgnoredName = 255
)

var (
	errIgnoreSelf = errors.New("that is your own key: you can't ignore yourself")
	errIgnoreMany = errors.New("you ignore 1024 people, and more can't be remembered")
)

// Ignore has the user ignore a person, whatever name they go by, or not any more. It is said to no node: what they say comes as it did, and has its
// place in its room; what is made of it is the front end's to say, by Ignored. With Config.State it is remembered beyond this client, whatever becomes
// of rooms. The name is kept as what the person was called. It returns an error when the key is the user's own, when 1,024 people are ignored
// already, and when the State can't be written; nothing has changed then.
func (c *Client) Ignore(who Person, on bool) error {
	if who.ID == c.cfg.Key.ID() {
		return errIgnoreSelf
	}
	if len(who.Name) > maxIgnoredName || !utf8.ValidString(who.Name) {
		return &RefusedError{Code: chat.BadName}
	}
	c.filing.Lock() // so that of two at once the same one holds here and in the file
	defer c.filing.Unlock()
	c.mu.Lock()
	before := c.ignored
	c.mu.Unlock()
	name, known := before[who.ID]
	switch {
	case known == on && name == who.Name, !known && !on:
		return nil
	case !known && len(before) >= maxIgnored:
		return errIgnoreMany
	}
	if err := c.cfg.State.ignore(who, on); err != nil {
		return err
	}
	after := maps.Clone(before)
	if after == nil {
		after = map[identity.ID]string{}
	}
	if delete(after, who.ID); on {
		after[who.ID] = who.Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ignored = after
	return nil
}

// Ignored returns whom the user ignores, in the order of the names that they had then; nil when that is nobody.
func (c *Client) Ignored() []Person {
	c.mu.Lock()
	ignored := c.ignored // a map that is not changed any more
	c.mu.Unlock()
	var list []Person
	for id, name := range ignored {
		list = append(list, Person{ID: id, Name: name})
	}
	slices.SortFunc(list, func(a, b Person) int {
		return cmp.Or(cmp.Compare(chat.Fold(a.Name), chat.Fold(b.Name)), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list
}

// ignore writes down that a person is ignored, or is not.
func (s *State) ignore(who Person, on bool) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(ignoreRecord(who.ID, who.Name, on))
}

// ignoreRecord is a key, the name it went by, and 1 when it is ignored from then on, 0 when it is not any more.
func ignoreRecord(id identity.ID, name string, on bool) []byte {
	b := appendText(append([]byte{kindIgnore}, id[:]...), name)
	if on {
		return append(b, 1)
	}
	return append(b, 0)
}

// ignoring reads what ignoreRecord wrote.
func (m *memory) ignoring(f *fields) (change func(), sensible bool) {
	var id identity.ID
	copy(id[:], f.bytes(uint64(len(id)))) // fewer where the record ends before: it is bad then
	name, on := f.text(), f.number()
	change = func() {
		if delete(m.ignored, id); on == 1 {
			m.ignored[id] = name
		}
	}
	return change, on <= 1 && len(name) <= maxIgnoredName && utf8.ValidString(name)
}
