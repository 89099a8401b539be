package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// The frames of yamux, version 0 (github.com/hashicorp/yamux, spec.md). They are spoken by hand: a library would spend more on a delivery
// than the node that is to be measured.
const (
	frameHeader = 12

	frameData   = 0
	frameWindow = 1
	framePing   = 2

	flagSYN = 1
	flagACK = 2
	flagEnd = 4 | 8 // FIN, RST

	controlID = 1
	chatID    = 3

	window = 256 << 10 // what either side may send before it is granted more
	// maxFrame is the largest body that a node takes from a client.
	maxFrame = 16 << 10
)

// roomName is the room that everything goes through.
const roomName = "bench"

// errAgain says that a write would have had to wait.
var errAgain = errors.New("the socket is full")

func appendFrame(dst []byte, kind byte, flags uint16, id, length uint32) []byte {
	dst = append(dst, 0, kind)
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, id)
	return binary.BigEndian.AppendUint32(dst, length)
}

// guest is chatnode's protocol from the client's side, as a machine that is fed what arrives. It knows just enough of it to come in, to
// join the room and to tell frames and records apart.
type guest struct {
	// Static after construction.
	key    *identity.Key
	name   string
	origin [16]byte
	rooms  []string                                        // it joins them; a publisher joins none
	cursor *wire.Cursor                                    // in one room, behind which it begins; an epoch of 0 is the node's; nil: with the next message
	write  func(frames []byte) error                       // whole frames; errAgain if it took nothing
	event  func(source int, seq uint64, rest []byte) error // source is the room's place in rooms, rest begins behind the seq; nil for a publisher
	acked  func(cseq uint64) error                         // nil for a reader
	grown  func(delta uint32)                              // the chat stream's send window; nil for a reader
	token  []byte                                          // of an invitation; nil: it has none
	answer func(wire.Record)                               // nil for who does not ask

	// Owned by whoever feeds.
	head          [frameHeader]byte
	have          int
	body          int
	stream        uint32
	control, chat records
	used          [2]int         // bytes received on control and chat since the last grant
	ready         bool           // welcomed, and joined where that is wanted
	from          uint64         // its number, by which the node calls it
	epoch         uint64         // of the node's store
	title         string         // of the node
	sources       map[uint64]int // the place in rooms of each that is open, by the node's number; nil for one room
	open          int            // rooms that are
}

// newGuest returns a guest with a key and an origin of its own.
func newGuest(name string, random io.Reader) (*guest, error) {
	key, err := identity.NewKey(random)
	if err != nil {
		return nil, err
	}
	g := &guest{key: key, name: name}
	if _, err := io.ReadFull(random, g.origin[:]); err != nil {
		return nil, fmt.Errorf("make an origin: %w", err)
	}
	return g, nil
}

// begin opens both streams.
func (g *guest) begin() error {
	open := appendFrame(nil, frameWindow, flagSYN, controlID, 0)
	return g.write(appendFrame(open, frameWindow, flagSYN, chatID, 0))
}

// feed takes the next bytes of the connection.
func (g *guest) feed(chunk []byte) error {
	for len(chunk) > 0 {
		if g.body > 0 {
			n := min(g.body, len(chunk))
			g.body -= n
			if err := g.data(chunk[:n]); err != nil {
				return err
			}
			chunk = chunk[n:]
			continue
		}
		n := copy(g.head[g.have:], chunk)
		g.have += n
		chunk = chunk[n:]
		if g.have == frameHeader {
			g.have = 0
			if err := g.frame(); err != nil {
				return err
			}
		}
	}
	return nil
}

// frame acts on a header that has become whole.
func (g *guest) frame() error {
	kind, flags := g.head[1], binary.BigEndian.Uint16(g.head[2:])
	id, length := binary.BigEndian.Uint32(g.head[4:]), binary.BigEndian.Uint32(g.head[8:])
	switch {
	case g.head[0] != 0 || kind > framePing:
		return errors.New("the node ended the session")
	case kind == framePing && flags&flagSYN != 0:
		return g.write(appendFrame(nil, framePing, flagACK, 0, length))
	case kind == framePing:
		return nil
	case id != controlID && id != chatID || flags&flagEnd != 0:
		return fmt.Errorf("the node ended stream %d", id)
	case kind == frameWindow && id == chatID && g.grown != nil:
		g.grown(length)
	case kind == frameData:
		g.stream, g.body = id, int(length)
	}
	return nil
}

// data takes a piece of a data frame's body, and grants more where half of the window has been used.
func (g *guest) data(piece []byte) (err error) {
	used := &g.used[g.stream/2]
	if g.stream == chatID {
		err = g.chat.feed(piece, g.chatRecord)
	} else {
		err = g.control.feed(piece, g.controlRecord)
	}
	if *used += len(piece); err != nil || *used < window/2 {
		return err
	}
	err = g.write(appendFrame(nil, frameWindow, 0, g.stream, uint32(*used)))
	if errors.Is(err, errAgain) {
		return nil // the next piece tries again
	}
	*used = 0
	return err
}

// say writes one record to a stream.
func (g *guest) say(id uint32, r wire.Record) error {
	record := wire.Must(nil, r)
	return g.write(append(appendFrame(nil, frameData, 0, id, uint32(len(record))), record...))
}

// controlRecord takes part in the handshake.
func (g *guest) controlRecord(record []byte) error {
	decoded, err := wire.Decode(record[lengthSize:])
	if err != nil {
		return err
	}
	switch r := decoded.(type) {
	case *wire.Challenge:
		return g.say(controlID, &wire.Hello{
			Version: wire.Version, Name: g.name, Key: g.key.Public(), Proof: g.key.Prove(r.Nonce, g.origin[:]), Origin: g.origin[:], FirstUnacked: 1, Token: g.token,
		})
	case *wire.Welcome:
		return g.welcomed(r)
	case *wire.PeersAre, *wire.HistoryIs, *wire.InviteIs, *wire.Failed:
		if g.answer != nil {
			g.answer(r)
		}
	case *wire.Bye:
		return &refusal{r.Code}
	}
	return nil
}

// refusal is a node's goodbye.
type refusal struct{ code chat.Code }

func (e *refusal) Error() string { return "the node said goodbye: " + e.code.Sentence() }

// ask puts a question over conn, which nobody else reads, and returns the answer.
func (g *guest) ask(conn net.Conn, question wire.Record) (answer wire.Record, err error) {
	g.answer = func(r wire.Record) { answer = r }
	if err := g.say(controlID, question); err != nil {
		return nil, err
	}
	buf := make([]byte, 4<<10)
	for answer == nil {
		n, err := conn.Read(buf)
		if err == nil {
			err = g.feed(buf[:n])
		}
		if err != nil {
			return nil, ended(err)
		}
	}
	return answer, nil
}

// welcomed joins the rooms.
func (g *guest) welcomed(r *wire.Welcome) error {
	g.from, g.epoch, g.title = r.From, r.Epoch, r.Title
	g.ready = len(g.rooms) == 0
	if len(g.rooms) > 1 {
		g.sources = map[uint64]int{}
	}
	for _, room := range g.rooms {
		join := &wire.Join{Room: room}
		if g.cursor != nil {
			at := *g.cursor
			if at.Epoch == 0 {
				at.Epoch = r.Epoch
			}
			join.Cursor = &at
		}
		if err := g.say(chatID, join); err != nil {
			return err
		}
	}
	return nil
}

// chatRecord takes an event and an acknowledgement by their first elements alone, and everything else, which is rare, by decoding it.
func (g *guest) chatRecord(record []byte) error {
	const array, typeAt = lengthSize, lengthSize + 1
	if len(record) > typeAt && record[array]>>5 == 4 {
		switch t := record[typeAt]; {
		case t == wire.TypeEvent && g.event != nil:
			room, seq, rest := eventHead(record[typeAt+1:])
			if rest == nil {
				return wire.ErrMalformed
			}
			source := 0
			if g.sources != nil {
				source = g.sources[room]
			}
			return g.event(source, seq, rest)
		case t == wire.TypeAck && g.acked != nil:
			cseq, at := uintAt(record, typeAt+1)
			if at < 0 {
				return wire.ErrMalformed
			}
			return g.acked(cseq)
		}
	}
	decoded, err := wire.Decode(record[lengthSize:])
	if err != nil {
		return err
	}
	switch r := decoded.(type) {
	case *wire.Open:
		return g.opened(r)
	case *wire.Refused:
		return &faultError{fmt.Sprintf("message %d of %s was refused: %s", r.CSeq, g.name, r.Code.Sentence())}
	case *wire.Nack:
		return &faultError{fmt.Sprintf("message %d of %s was not taken: %s", r.Expected, g.name, r.Code.Sentence())}
	case *wire.Closed:
		return &faultError{"the node closed the room"}
	}
	return nil
}

// opened checks that a room begins where it has to: behind the cursor, or, without one, at its first message, as nobody says anything before all are
// there. Who counts nothing may begin anywhere.
func (g *guest) opened(r *wire.Open) error {
	first := uint64(1)
	if g.cursor != nil {
		first += g.cursor.Seq
	}
	switch {
	case r.Status == wire.StatusDenied:
		return fmt.Errorf("the room was denied: %s", r.Code.Sentence())
	case r.Status != wire.StatusOK || g.ready || g.event != nil && r.From != first:
		return &faultError{fmt.Sprintf("the room's log was broken off and goes on at message %d of %d", r.From, r.Head)}
	}
	if g.sources != nil {
		g.sources[r.Room] = slices.Index(g.rooms, r.Name)
	}
	g.open++
	g.ready = g.open == len(g.rooms)
	return nil
}

// eventHead takes the room and the seq off the front of what stands behind an event's type; rest is nil where they are missing. Whoever listens does this for
// each delivery, so that the usual forms have a way of their own.
func eventHead(b []byte) (room, seq uint64, rest []byte) {
	if len(b) >= 6 && b[0] < 24 {
		switch room = uint64(b[0]); b[1] {
		case 25:
			return room, uint64(binary.BigEndian.Uint16(b[2:])), b[4:]
		case 26:
			return room, uint64(binary.BigEndian.Uint32(b[2:])), b[6:]
		}
	}
	room, at := uintAt(b, 0)
	seq, at = uintAt(b, at)
	if at < 0 {
		return 0, 0, nil
	}
	return room, seq, b[at:]
}

// eventText returns the text of an event that has been cut off behind its seq, nil if it is none.
func eventText(rest []byte) []byte {
	text, _ := eventBody(rest)
	return text
}

// eventID returns the id of such an event.
func eventID(rest []byte) (id chat.ID, ok bool) {
	_, at := eventBody(rest)
	n, at := headAt(rest, at, 2)
	if at < 0 || n != uint64(len(id)) || len(rest)-at < len(id) {
		return id, false
	}
	return chat.ID(rest[at : at+len(id)]), true
}

// eventBody returns the text of such an event and where the next item begins, -1 if it is none.
func eventBody(rest []byte) (text []byte, next int) {
	at := 0
	for range 3 { // from, cseq, time
		_, at = uintAt(rest, at)
	}
	if n, next := headAt(rest, at, 3); next >= 0 { // name
		at = next + int(min(n, maxRecord))
	} else {
		return nil, -1
	}
	_, at = uintAt(rest, at) // kind
	n, at := headAt(rest, at, 2)
	if at < 0 || n > uint64(len(rest)-at) {
		return nil, -1
	}
	return rest[at : at+int(n)], at + int(n)
}

// uintAt reads the CBOR unsigned integer at b[at] and returns where the next item begins, -1 if there is no such integer.
func uintAt(b []byte, at int) (v uint64, next int) { return headAt(b, at, 0) }

// headAt reads the head of a CBOR item of the given major type (RFC 8949, section 3).
func headAt(b []byte, at int, major byte) (v uint64, next int) {
	if at < 0 || at >= len(b) || b[at]>>5 != major {
		return 0, -1
	}
	info, rest := b[at]&31, b[at+1:]
	switch {
	case info < 24:
		return uint64(info), at + 1
	case info == 24 && len(rest) >= 1:
		return uint64(rest[0]), at + 2
	case info == 25 && len(rest) >= 2:
		return uint64(binary.BigEndian.Uint16(rest)), at + 3
	case info == 26 && len(rest) >= 4:
		return uint64(binary.BigEndian.Uint32(rest)), at + 5
	case info == 27 && len(rest) >= 8:
		return binary.BigEndian.Uint64(rest), at + 9
	}
	return 0, -1
}

// appendUint appends a CBOR unsigned integer in its shortest form.
func appendUint(dst []byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(dst, byte(v))
	case v < 1<<8:
		return append(dst, 24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 27), v)
}

// eventSize is the size of chatnode's event for a text of payload bytes, its length included, once a room has been busy for a while.
func eventSize(payload, clients int) int {
	const many = 1 << 17
	event := &wire.Event{
		Room: 1, Seq: many, From: uint64(clients + 1), CSeq: many, Time: 1 << 41, Name: publisherName(0), Kind: chat.Text, Body: make([]byte, payload),
	}
	return len(wire.Must(nil, event))
}

func publisherName(number int) string { return fmt.Sprintf("pub-%d", number) }
