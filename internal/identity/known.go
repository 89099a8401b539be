package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"chatnode/internal/disk"
)

const (
	// maxAddresses is how many addresses are remembered of one node: the oldest go.
	maxAddresses = 16
	// maxKnown is how many nodes are remembered.
	maxKnown = 10_000
	// maxKnownFile bounds what is taken for such a file, in bytes.
	maxKnownFile = 16 << 20
	// knownWait is how long a process waits for another that is writing the file, which takes a moment.
	knownWait = 3 * time.Second
)

// errKnownFull says that a node can't be remembered beside so many others.
var errKnownFull = fmt.Errorf("%d nodes are known, which is the most: take some lines out of the file", maxKnown)

// Known is the nodes that a user has met, by key id, with the addresses at which each was met. It is a file of lines, each an id and its
// addresses; what stands behind a # is the user's own and stays. Several processes may use one file, and several goroutines one Known. A pin that
// was checked here holds as long as the Known does, whatever becomes of the file.
type Known struct {
	// Static after construction.
	path string        // "": memory alone
	wait time.Duration // knownWait
	// Data is the folder that chatnode trust has to be told of, when the user chose it.
	Data string

	mu      sync.Mutex    // guards what follows, and is held while the file is read and written
	pinned  map[string]ID // by address: those that were checked here
	invited map[string]ID // by address: whom an invitation names there
	unsaved error         // why the last pin is not in the file
}

// KnownNode is a node that was met, and where.
type KnownNode struct {
	ID        ID
	Addresses []string // each a host and a port, those that have been known for longest first
}

// OpenKnown returns the nodes in the file at path, which need not be there and is written with the first pin. With an empty path nothing is
// written. It returns an error for a file that can't be read or has a line that makes no sense, with the line's number: a pin that is passed over
// would be an open door.
func OpenKnown(path string) (*Known, error) {
	k := &Known{path: path, wait: knownWait, pinned: map[string]ID{}, invited: map[string]ID{}}
	_, err := k.read()
	return k, err
}

// Check says whether the node with this id is the one that is known at address. It remembers a node at an address where none was known; first
// says that this is all there is to go by: nobody has named the node before. It returns a *ChangedError when another node is known there, and other
// errors for an address that is none, and for a file that can't be read any more. A pin that can't be written holds nevertheless: see Unsaved.
func (k *Known) Check(address string, id ID) (first bool, err error) {
	address, err = NormalAddress(address)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := k.read()
	if err != nil {
		return false, err
	}
	if named, ok := k.invited[address]; ok && named != id {
		return false, k.changed(f, address, named, id, NotInvited)
	}
	if was, ok := k.at(f, address); ok && was != id {
		return false, k.changed(f, address, was, id, ByMemory)
	}
	if f.at(address) != id {
		_, invited := k.invited[address]
		first = !invited && len(k.elsewhere(f, address, id)) == 0 && k.pinned[address] != id
		k.unsaved = k.save(func(f *knownFile) error { return f.pin(address, id) })
		var changed *ChangedError
		if errors.As(k.unsaved, &changed) { // another process was faster
			k.unsaved = nil
			return false, k.changed(f, address, changed.Was, id, ByMemory)
		}
	}
	k.pinned[address] = id
	return first, nil
}

// Pin says which node an invitation names at an address: Check takes no other there. It is remembered once that node has answered, as
// anybody can write an invitation. It returns a *ChangedError when another node is known at the address already.
func (k *Known) Pin(address string, id ID) error {
	address, err := NormalAddress(address)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := k.read()
	if err != nil {
		return err
	}
	if was, ok := k.at(f, address); ok && was != id {
		return k.changed(f, address, was, id, ByInvitation)
	}
	k.invited[address] = id
	return nil
}

// Trust has the node with this id be the one that is known at address, whichever was. Unlike Check it returns an error when that can't be written.
func (k *Known) Trust(address string, id ID) error {
	address, err := NormalAddress(address)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.save(func(f *knownFile) error { f.drop(address); return f.pin(address, id) }); err != nil {
		return err
	}
	k.pinned[address] = id
	delete(k.invited, address)
	return nil
}

// At returns the node that is known at address.
func (k *Known) At(address string) (ID, bool) {
	address, err := NormalAddress(address)
	if err != nil {
		return ID{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := k.read()
	if err != nil {
		f = &knownFile{} // what was checked here holds
	}
	return k.at(f, address)
}

// List returns the nodes in the order in which they were met, and then those that could not be written.
func (k *Known) List() ([]KnownNode, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := k.read()
	if err != nil {
		return nil, err
	}
	for address, id := range k.pinned {
		if f.at(address).IsZero() {
			_ = f.pin(address, id) // one that is too many for the file is not listed
		}
	}
	var list []KnownNode
	for _, l := range f.lines {
		if !l.id.IsZero() {
			list = append(list, KnownNode{ID: l.id, Addresses: slices.Clone(l.addresses)})
		}
	}
	return list, nil
}

// Unsaved returns why the last pin holds only as long as this process, or nil.
func (k *Known) Unsaved() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unsaved
}

// at returns the node that is known at address. The file goes first: there the user may have said something since.
func (k *Known) at(f *knownFile, address string) (ID, bool) {
	if id := f.at(address); !id.IsZero() {
		return id, true
	}
	id, ok := k.pinned[address]
	return id, ok
}

// changed returns the error that another node is at address than has to be there.
func (k *Known) changed(f *knownFile, address string, was, is ID, why Why) *ChangedError {
	return &ChangedError{Address: address, Was: was, Is: is, Known: k.elsewhere(f, address, is), Data: k.Data, Why: why}
}

// elsewhere returns the other addresses at which a node is known.
func (k *Known) elsewhere(f *knownFile, address string, id ID) []string {
	var list []string
	for _, l := range f.lines {
		if l.id == id {
			list = append(list, l.addresses...)
		}
	}
	for other, at := range k.pinned {
		if at == id {
			list = append(list, other)
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == address })
}

// read returns what the file says. One that is not there says nothing.
func (k *Known) read() (*knownFile, error) {
	if k.path == "" {
		return &knownFile{}, nil
	}
	file, err := os.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &knownFile{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("read which nodes are known: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKnownFile+1))
	if err != nil {
		return nil, fmt.Errorf("read which nodes are known: %w", err)
	}
	if len(text) > maxKnownFile {
		return nil, fmt.Errorf("%s: more than %d bytes are no list of nodes", k.path, maxKnownFile)
	}
	f, err := parseKnown(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", k.path, err)
	}
	return f, nil
}

// save changes the file, with what other processes have written to it meanwhile. When change fails nothing is written.
func (k *Known) save(change func(*knownFile) error) error {
	if k.path == "" {
		return nil
	}
	if err := disk.MakeDir(filepath.Dir(k.path)); err != nil {
		return err
	}
	lock, err := k.lock()
	if err != nil {
		return fmt.Errorf("write which nodes are known: %w", err)
	}
	defer lock.Unlock()
	f, err := k.read()
	if err == nil {
		err = change(f)
	}
	if err != nil {
		return err
	}
	return disk.WriteFile(k.path, f.text())
}

// lock waits for other processes, for a time.
func (k *Known) lock() (*disk.Lock, error) {
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		lock, err := disk.TryLock(k.path + ".lock")
		if !errors.Is(err, disk.ErrLocked) || time.Since(begun) >= k.wait {
			return lock, err
		}
	}
}

// knownFile is the lines of such a file.
type knownFile struct{ lines []knownLine }

// knownLine is one of them.
type knownLine struct {
	id        ID // zero: the line is a comment, or empty
	addresses []string
	comment   string // from its # on, or an empty line's white space
}

// parseKnown reads what text returns. Errors begin with the line's number.
func parseKnown(text []byte) (*knownFile, error) {
	f := &knownFile{}
	if len(text) == 0 {
		return f, nil
	}
	nodes, where := 0, map[string]int{}
	for i, raw := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		n := i + 1
		line, err := parseKnownLine(strings.TrimRight(raw, "\r"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, address := range line.addresses {
			if before, taken := where[address]; taken && f.lines[before-1].id != line.id {
				return nil, fmt.Errorf("line %d: %s stands in line %d too, which is about another node", n, address, before)
			}
			where[address] = n
		}
		if !line.id.IsZero() {
			nodes++
		}
		if nodes > maxKnown {
			return nil, fmt.Errorf("line %d: more than %d nodes", n, maxKnown)
		}
		f.lines = append(f.lines, line)
	}
	return f, nil
}

func parseKnownLine(text string) (line knownLine, err error) {
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text, line.comment = text[:i], text[i:]
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		line.comment = text + line.comment
		return line, nil
	}
	if line.id, err = ParseID(words[0]); err != nil {
		return line, fmt.Errorf("%.80q is not a node's id: set it right, or take the line away", words[0])
	}
	for _, word := range words[1:] {
		address, err := NormalAddress(word)
		if err != nil {
			return line, err
		}
		if !slices.Contains(line.addresses, address) {
			line.addresses = append(line.addresses, address)
		}
	}
	return line, nil
}

// text returns the file's content.
func (f *knownFile) text() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		if !l.id.IsZero() {
			b.WriteString(strings.Join(append([]string{l.id.String()}, l.addresses...), " "))
			if l.comment != "" {
				b.WriteByte(' ')
			}
		}
		b.WriteString(l.comment + "\n")
	}
	return b.Bytes()
}

// at returns the node that has an address, or zero.
func (f *knownFile) at(address string) ID {
	for _, l := range f.lines {
		if slices.Contains(l.addresses, address) {
			return l.id
		}
	}
	return ID{}
}

// pin adds an address to a node's, and the node if need be. It returns a *ChangedError when another has it.
func (f *knownFile) pin(address string, id ID) error {
	switch was := f.at(address); {
	case was == id:
		return nil
	case !was.IsZero():
		return &ChangedError{Address: address, Was: was, Is: id}
	}
	nodes := 0
	for i := range f.lines {
		l := &f.lines[i]
		if l.id == id {
			l.addresses = append(l.addresses, address)
			l.addresses = l.addresses[max(0, len(l.addresses)-maxAddresses):]
			return nil
		}
		if !l.id.IsZero() {
			nodes++
		}
	}
	if nodes >= maxKnown {
		return errKnownFull
	}
	f.lines = append(f.lines, knownLine{id: id, addresses: []string{address}})
	return nil
}

// drop takes an address from whichever node has it. A node without addresses goes, unless somebody has written something beside it.
func (f *knownFile) drop(address string) {
	for i := range f.lines {
		l := &f.lines[i]
		l.addresses = slices.DeleteFunc(l.addresses, func(s string) bool { return s == address })
	}
	f.lines = slices.DeleteFunc(f.lines, func(l knownLine) bool { return !l.id.IsZero() && len(l.addresses) == 0 && l.comment == "" })
}

// maxHost is the length of the longest host name there is, in bytes (RFC 1035).
const maxHost = 253

// NormalAddress returns the one spelling that an address of a node has here: a host in lower case, or an IP address as RFC 5952 has it, and a port
// from 1 to 65535. It returns an error that says what is wrong with anything else.
func NormalAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", fmt.Errorf("%.80q is not a host and a port, such as plant:8080 or [2001:db8::5]:8080", address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("%.80q has no port from 1 to 65535", address)
	}
	if ip, err := netip.ParseAddr(host); err == nil && fitHost(ip.Zone()) {
		host = ip.Unmap().String()
	} else if host = strings.ToLower(host); len(host) > maxHost || !fitHost(host) {
		return "", fmt.Errorf("%.80q has no host that can be one", address)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// fitHost reports whether nothing in a name can be taken for something else in a list, a link or a command.
func fitHost(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	})
}

// Why says against whose word a node is another.
type Why uint8

const (
	// ByMemory: another node was known at the address.
	ByMemory Why = iota
	// ByInvitation: another node was known at the address than the one that an invitation names, which nobody has asked yet.
	ByInvitation
	// NotInvited: another node has answered than the one that an invitation names.
	NotInvited
)

// ChangedError says that the node at an address is not the one that it has to be. To try again is of no use and may be what somebody waits for.
type ChangedError struct {
	Address string
	Was, Is ID       // who it has to be, and who it is or, ByInvitation, is said to be
	Known   []string // other addresses at which Is is known
	Data    string   // as that of the Known which says so
	Why     Why
}

// Error returns some sentences for the user: what was found, what that can mean, and what to do in each case.
func (e *ChangedError) Error() string {
	var b strings.Builder
	switch e.Why {
	case ByInvitation:
		fmt.Fprintf(&b, "the invitation is for another node than the one that you know at %s.\n", e.Address)
		fmt.Fprintf(&b, "  you know:   %s\n  invitation: %s\n", e.Was.Grouped(), e.Is.Grouped())
	case NotInvited:
		fmt.Fprintf(&b, "the node at %s is not the one that the invitation names.\n", e.Address)
		fmt.Fprintf(&b, "  invitation: %s\n  answered:   %s\n", e.Was.Grouped(), e.Is.Grouped())
	default:
		fmt.Fprintf(&b, "the node at %s is another one than before.\n", e.Address)
		fmt.Fprintf(&b, "  before: %s\n  now:    %s\n", e.Was.Grouped(), e.Is.Grouped())
	}
	if len(e.Known) > 0 {
		few := e.Known[:min(len(e.Known), 3)]
		fmt.Fprintf(&b, "The one now is known to you: it is the node at %s. Perhaps the addresses of two nodes were exchanged.\n", strings.Join(few, ", "))
	} else {
		b.WriteString(e.Why.reasons())
	}
	b.WriteString("No message was sent. Ask whoever runs the node for its id, by another way than this one. ")
	if e.Why == NotInvited {
		b.WriteString("If the new id is right, ask for a new invitation, or go without one:\n")
	} else {
		b.WriteString("If the new id is right:\n")
	}
	b.WriteString("    chatnode trust ")
	if e.Data != "" {
		fmt.Fprintf(&b, "-data \"%s\" ", e.Data)
	}
	fmt.Fprintf(&b, "%s %s", e.Address, e.Is)
	return b.String()
}

// reasons returns what it can mean that a node is one that was never met.
func (w Why) reasons() string {
	switch w {
	case ByInvitation:
		return "Either the node was set up anew since you were there, or the invitation is not what it says.\n"
	case NotInvited:
		return "Either the node was set up anew since the invitation was made, or another machine has that address now, or somebody is in between.\n"
	}
	return "Either the node was set up anew, or another machine has that address now, or somebody is in between and reads along.\n"
}
