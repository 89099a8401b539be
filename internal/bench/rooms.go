package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"chatnode/internal/chat"
)

const (
	// roomMembers are in each room where all talk.
	roomMembers = 10
	// wideRooms are those that one client is in, about as many as one may be.
	wideRooms = 500
	// memberFlying is how many messages of each member are on their way at one time.
	memberFlying = 8
)

// roomsCase is a way to spread clients over rooms.
type roomsCase struct {
	name  string
	rooms int
	talk  bool // roomMembers in each room, who all talk; else one client listens in all of them
	alone int  // the place of the case with one room that it is held against
}

// roomsCases returns those that there are, the ones with one room before what is held against them.
func (cfg *config) roomsCases() []roomsCase {
	cases := []roomsCase{{"1 client in 1 room", 1, false, 0}, {fmt.Sprintf("1 client in %d rooms", wideRooms), wideRooms, false, 0}}
	one := len(cases)
	cases = append(cases, roomsCase{fmt.Sprintf("1 room of %d, all talking", roomMembers), 1, true, one})
	for _, n := range cfg.clients {
		rooms := max(n/roomMembers, 1)
		cases = append(cases, roomsCase{fmt.Sprintf("%d rooms of %d, all talking", rooms, roomMembers), rooms, true, one})
	}
	return cases
}

// roomsUpTo returns the names of so many rooms, which have one length.
func roomsUpTo(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%05d", roomName, i)
	}
	return names
}

// measureRooms measures each case in turn, in each run.
func (cfg *config) measureRooms(ctx context.Context, node program, out *figures, p *progress) error {
	if err := cfg.checkFiles(openFiles()); err != nil {
		return err
	}
	cases := cfg.roomsCases()
	p.begin(cfg.runs * len(cases))
	for run := range cfg.runs {
		all := make([]values, len(cases))
		for i, c := range cases {
			p.step(1, "rooms: %s, run %d of %d", c.name, run+1, cfg.runs)
			var err error
			if all[i], err = cfg.visitRooms(ctx, node, c); err != nil {
				return fmt.Errorf("bench rooms with %s, run %d: %w", c.name, run+1, err)
			}
			reportRooms(c, all[i], all[c.alone], c.alone == i, out)
		}
	}
	p.clear()
	return out.print(scenarioRooms)
}

// reportRooms adds what one case gave, beside what one room gave in the same run.
func reportRooms(c roomsCase, v, alone values, isAlone bool, out *figures) {
	for _, part := range []struct {
		key   string
		what  quantity
		ratio quantity
	}{
		{"deliveries_per_s", deliveryRate, rateOfOne}, {"server_cpu_us_per_delivery", serverPerDelivery, costOfOne},
		{"load_cpu_us_per_delivery", loadPerDelivery, quantity{}}, {"bytes_per_delivery", bytesPerDelivery, quantity{}},
	} {
		at := measureOf(modeSaturate, part.key)
		out.add(c.name, part.what, v[at])
		if part.ratio.key != "" && !isAlone {
			out.add(c.name, part.ratio, v[at]/alone[at])
		}
	}
}

// visitRooms measures one node.
func (cfg *config) visitRooms(ctx context.Context, node program, c roomsCase) (values, error) {
	in := *cfg
	in.modes = map[mode]bool{modeSaturate: true}
	s, names, clients := in.nodeSide("the node", node.serving("-ephemeral"), false), roomsUpTo(c.rooms), 1
	s.join = func(r *reader) error { return joinNode(r, entry{rooms: names}) }
	s.publish = func(ctx context.Context, address string, number int, fail context.CancelCauseFunc) (publisher, error) {
		return newAuthor(ctx, address, number, &in, pace{inFlight: chat.MaxInFlight, rooms: names}, fail)
	}
	if c.talk {
		clients, in.publishers = c.rooms*roomMembers, 0
		s.talk = newTalk(clients, names, cfg.payload)
		s.join = func(r *reader) error {
			room := r.number / roomMembers
			return joinNode(r, entry{rooms: names[room : room+1], speaker: s.talk.speakers[r.number]})
		}
	}
	return in.visitSide(ctx, s, clients)
}

// talk is what a crowd has to say. Each of its members says as much again as it has been shown of its own, so that nobody is ahead of what they read.
type talk struct {
	speakers []*speaker // by their reader's number
	over     atomic.Bool
}

// speaker is a member of a crowd who talks.
type speaker struct {
	// Static after its way in.
	talk  *talk
	text  *pubText
	write func(b []byte) error

	// Owned by whoever reads.
	back int // messages of its own that it was shown and has not made up for

	// mu is held to speak, and so promises that nothing more is said behind the look that found sent when the talk was over.
	mu    sync.Mutex
	sent  uint64
	frame []byte
}

// newTalk returns a talk of n people, roomMembers in each of the rooms.
func newTalk(n int, rooms []string, payload int) *talk {
	t := &talk{speakers: make([]*speaker, n)}
	for i, text := range textsFor(rooms, payload) {
		for j := range roomMembers {
			t.speakers[i*roomMembers+j] = &speaker{talk: t, text: text}
		}
	}
	return t
}

// listen has the speaker go on whenever half of what it has on its way has come back to it.
func (s *speaker) listen(r *reader, g *guest) {
	s.write = func(b []byte) error { return r.write(b) }
	saw := g.event
	g.event = func(source int, seq uint64, rest []byte) error {
		if from, _ := uintAt(rest, 0); from == g.from {
			s.back++
		}
		return saw(source, seq, rest)
	}
	r.feed = func(chunk []byte) error {
		if err := g.feed(chunk); err != nil || s.back < memberFlying/2 {
			return err
		}
		n := s.back
		s.back = 0
		return s.say(n)
	}
}

// say says n messages in one frame, unless the talk is over. So few always have room in a socket, and in the stream's window.
func (s *speaker) say(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk.over.Load() {
		return nil
	}
	s.frame = appendFrame(s.frame[:0], frameData, 0, chatID, 0)
	for range n {
		s.sent++
		s.frame = s.text.append(s.frame, s.sent, 0)
	}
	binary.BigEndian.PutUint32(s.frame[8:], uint32(len(s.frame)-frameHeader))
	return s.write(s.frame)
}

// end ends the talk and returns how much was said.
func (t *talk) end() (said uint64) {
	t.over.Store(true)
	for _, s := range t.speakers {
		s.mu.Lock()
		said += s.sent
		s.mu.Unlock()
	}
	return said
}

// talk has everybody talk, and notes what is delivered while they do.
func (v *visit) talk(ctx context.Context) error {
	t := v.side.talk
	for _, s := range t.speakers {
		if err := s.say(memberFlying); err != nil {
			return err
		}
	}
	pause(ctx, v.warm())
	began := v.look()
	pause(ctx, v.duration)
	ended := v.look()
	said := t.end()
	want := said * roomMembers
	err := v.await(ctx, "the last messages", func() bool { return v.crowd.delivered.Load() >= want })
	if errors.As(err, new(*stallError)) {
		return &faultError{fmt.Sprintf("%d messages were sent to %d clients each, and %d of %d came: the rest is lost", said, roomMembers, v.crowd.delivered.Load(), want)}
	}
	if err == nil {
		v.saturated(began, ended)
	}
	return err
}
