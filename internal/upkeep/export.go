package upkeep

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

const exportPage = `chatnode export: print the messages of a store

    chatnode export > all.jsonl           one JSON object a line (docs/json.md)
    chatnode export -text -room ops       for people to read
    chatnode export -since 2h FILE        the last two hours of a backup
    chatnode export -merged -room ops     what linked nodes have in common, in their common order

Messages come in the order in which they were written, across rooms. Conversations of two are among them; what is said there is sealed, and
printed as it is kept: only the two can read it. A node may run meanwhile; nothing is changed.

  -data DIR          the store's folder ($CHATNODE_DATA)
  -room ROOM         this room alone; may be given again; @ stands for all conversations, @bob for those that bob has
  -since TIME        no older ones: 2h, 30d
  -text              lines for people, times as this machine's clock shows them
  -merged            room by room in causal order, without anything that is this node's own: nodes that hold the same print the same

Exit codes: 0 all of it was printed; 1 it could not be; 2 usage, or there is no such room; 3 there is no store, or it can't be opened; 8 messages
are missing or can't be read, all others were printed.
`

// exporter prints messages in one manner.
type exporter interface {
	message(store.Message) error
}

// Export is the verb export: it returns an error that is marked with ErrUsage, ErrNotOpened or ErrFault, or is none of these. A reader of c.Out who goes
// away is no error.
func Export(ctx context.Context, args []string, c *Console) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	var rooms []string
	since := int64(0)
	text := flags.Bool("text", false, "")
	merged := flags.Bool("merged", false, "")
	flags.Func("room", "", func(s string) error { rooms = append(rooms, s); return nil })
	flags.Func("since", "", func(s string) error {
		d, err := chat.ParseDuration(s)
		since = chat.Millis(c.Now().Add(-d))
		return err
	})
	o, err := parse(flags, args)
	if err != nil {
		return help(c, err, exportPage)
	}
	a, err := o.open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	e, err := newExport(ctx, a)
	if err != nil {
		return judge(ctx, err)
	}
	chosen, err := e.choose(rooms)
	if err != nil {
		return err
	}
	if *merged {
		err = e.printMerged(ctx, c, chosen, since, *text)
	} else {
		err = e.print(ctx, c, chosen, since, *text)
	}
	if isGone(err) {
		return nil
	}
	return judge(ctx, err)
}

// export is what printing messages needs to know.
type export struct {
	archive *store.Archive
	epoch   uint64
	rooms   []store.RoomState
	authors map[uint64]identity.ID
	names   map[identity.ID]string
}

func newExport(ctx context.Context, a *store.Archive) (_ *export, err error) {
	e := &export{archive: a}
	if e.epoch, err = a.Epoch(ctx); err != nil {
		return nil, err
	}
	if e.rooms, err = a.Rooms(ctx); err != nil {
		return nil, err
	}
	if e.authors, err = a.Authors(ctx); err != nil {
		return nil, err
	}
	e.names, err = a.Names(ctx)
	return e, err
}

// print prints the messages of rooms.
func (e *export) print(ctx context.Context, c *Console, rooms []store.RoomState, since int64, text bool) error {
	out := bufio.NewWriterSize(c.Out, 64<<10)
	var manner exporter = newObjects(e, out)
	if text {
		manner = &timeline{export: e, out: out, zone: c.Zone}
	}
	bar := newBar(c)
	if c.Same {
		bar.wide = 0
	}
	err := e.archive.Timeline(ctx, rooms, since, bar.step, manner.message)
	bar.end()
	return errors.Join(err, out.Flush())
}

// choose returns the rooms that -room asks for, all when it does not.
func (e *export) choose(asked []string) ([]store.RoomState, error) {
	if len(asked) == 0 {
		return e.rooms, nil
	}
	var chosen []store.RoomState
	met := make([]bool, len(asked))
	for i := range e.rooms {
		meant := false
		for n, name := range asked {
			if e.means(name, &e.rooms[i]) {
				meant, met[n] = true, true
			}
		}
		if meant {
			chosen = append(chosen, e.rooms[i])
		}
	}
	if n := slices.Index(met, false); n >= 0 {
		return nil, usagef("export: there is no room %q; %s", asked[n], e.known())
	}
	return chosen, nil
}

// means reports whether a name stands for a room.
func (e *export) means(name string, r *store.RoomState) bool {
	people, direct := strings.CutPrefix(name, chat.DirectMark)
	if !direct || !r.Direct() {
		return !direct && !r.Direct() && name == r.Name
	}
	if people == "" {
		return true
	}
	first, second, both := strings.Cut(people, ",")
	return !both && (e.is(first, r.Peers[0]) || e.is(first, r.Peers[1])) ||
		both && (e.is(first, r.Peers[0]) && e.is(second, r.Peers[1]) || e.is(first, r.Peers[1]) && e.is(second, r.Peers[0]))
}

// is reports whether who is a key, or the name that it goes by.
func (e *export) is(who string, id identity.ID) bool {
	name, named := e.names[id]
	return who == id.String() || named && chat.Fold(who) == chat.Fold(name)
}

// known says which rooms there are.
func (e *export) known() string {
	const few = 12
	var names []string
	for i := range e.rooms {
		if !e.rooms[i].Direct() {
			names = append(names, chat.Shown(e.rooms[i].Name))
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "there is none at all"
	case len(names) > few:
		return fmt.Sprintf("there are %s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return "there are " + strings.Join(names, ", ")
}

// isGone reports whether a write failed because nobody reads any more.
func isGone(err error) bool {
	const errorBrokenPipe, errorNoData = 109, 232 // Windows
	var errno syscall.Errno
	windows := runtime.GOOS == "windows" && errors.As(err, &errno) && (errno == errorBrokenPipe || errno == errorNoData)
	return windows || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
