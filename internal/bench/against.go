package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/door"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// Limits of what is done to a node that others use too.
const (
	maxAgainstClients  = 1000
	maxAgainstRate     = 1000
	maxAgainstDuration = 10 * time.Minute
	maxAgainstRuns     = 20

	// sessionsEach is how many clients share a key, which is as many as a node lets one have: it knows the keys for good.
	sessionsEach = 16
	// inviteMargin is how long the invitation is good beyond what is measured.
	inviteMargin = 2 * time.Minute
	// byeLimit is how long the node may take to let a publisher go.
	byeLimit = 2 * time.Second
	// keepsUp is the part of the messages asked for below which the node, or the way to it, has not taken them as fast.
	keepsUp = 0.95
)

// target is a node that runs already, and the room there that was made up for the purpose.
type target struct {
	// What the flags ask for.
	address string
	file    string // of the admin's key
	node    string // its id, as text; empty: the one that is known at the address
	yes     bool   // the user has consented already

	// What the node has said.
	id    identity.ID
	title string
	token []byte

	room   string
	keys   []*identity.Key // of the clients: sessionsEach for each
	others []*identity.Key // of the publishers
}

// pass is what a guest shows to be let in where it is not let in anyway.
type pass struct {
	name  string
	key   *identity.Key
	token []byte
}

// checkAgainst finds what is not to be done to a node that runs already.
func (cfg *config) checkAgainst() error {
	t := cfg.against
	switch {
	case t.address == "" && (t.file != "" || t.node != "" || t.yes):
		return usagef("bench: -identity, -node and -yes are for -against")
	case t.address == "":
		return nil
	case cfg.scenario != scenarioFanout:
		return usagef("bench: -against measures in its own way, and no -scenario")
	case t.file == "":
		return usagef("bench: -against needs -identity, the key file of an admin of that node")
	case len(cfg.clients) > 1 || cfg.clients[0] > maxAgainstClients:
		return usagef("bench: -n with -against: one number, at most %d", maxAgainstClients)
	case cfg.rate > maxAgainstRate:
		return usagef("bench: -rate with -against: at most %d messages a second", maxAgainstRate)
	case cfg.duration > maxAgainstDuration:
		return usagef("bench: -duration with -against: at most %v", maxAgainstDuration)
	case cfg.runs > maxAgainstRuns:
		return usagef("bench: -runs with -against: at most %d", maxAgainstRuns)
	}
	return nil
}

// prepare makes what the clients need.
func (t *target) prepare(clients, publishers int) error {
	tag := make([]byte, 3)
	rand.Read(tag) // never fails
	t.room = roomName + "-" + hex.EncodeToString(tag)
	for i := range (clients-1)/sessionsEach + 1 + publishers {
		key, err := identity.NewKey(rand.Reader)
		if err != nil {
			return err
		}
		if i < publishers {
			t.others = append(t.others, key)
		} else {
			t.keys = append(t.keys, key)
		}
	}
	return nil
}

// runAgainst measures a node that runs already, if its operator and the user agree.
func (cfg *config) runAgainst(ctx context.Context, c *Console, p *progress) error {
	t := cfg.against
	t.address = c.WithPort(t.address)
	if _, err := identity.NormalAddress(t.address); err != nil {
		return usagef("bench: -against: %v", err)
	}
	if !t.yes && !c.Asks {
		return usagef("bench: -against needs -yes where nobody can be asked")
	}
	admin, err := identity.Load(t.file)
	if err != nil {
		return fmt.Errorf("the admin's key: %w", err)
	}
	check, err := t.checker(c)
	if err != nil {
		return err
	}
	if err := t.prepare(cfg.clients[0], cfg.publishers); err != nil {
		return err
	}
	err = t.asAdmin(ctx, admin, check, func(ask func(wire.Record) (wire.Record, error)) error {
		if err := t.consent(c, admin, cfg); err != nil {
			return err
		}
		return t.invite(cfg, ask)
	})
	if err != nil {
		return err
	}
	return cfg.load(ctx, c, p)
}

// checker returns what is asked about whoever answers.
func (t *target) checker(c *Console) (func(identity.ID) error, error) {
	if t.node != "" {
		want, err := identity.ParseID(t.node)
		if err != nil {
			return nil, usagef("bench: -node: %v", err)
		}
		return func(id identity.ID) error {
			if id != want {
				return fmt.Errorf("%s: the node is %v, not %v", t.address, id, want)
			}
			return nil
		}, nil
	}
	known, note, err := c.Known("")
	if note != "" {
		fmt.Fprintf(c.Err, "-- %s\n", note)
	}
	if err != nil {
		return nil, err
	}
	return func(id identity.ID) error {
		first, err := known.Check(t.address, id)
		if first {
			fmt.Fprintf(c.Err, "-- first time at %s: the node is %s; compare that with what the node printed\n", t.address, id.Grouped())
		}
		return err
	}, nil
}

// dial returns an encrypted connection to the node, which passes the check.
func (t *target) dial(ctx context.Context, key *identity.Key, check func(identity.ID) error) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	conn, err := door.Dial(ctx, t.address, identity.ClientTLS(key))
	if err != nil {
		return nil, err
	}
	id, err := identity.PeerOf(conn.ConnectionState())
	if err == nil {
		err = check(id)
	}
	if err != nil {
		return nil, errors.Join(err, conn.NetConn().Close())
	}
	return conn, nil
}

// again is dial for who comes after the admin: the node must be the same one.
func (t *target) again(ctx context.Context, key *identity.Key) (net.Conn, error) {
	return t.dial(ctx, key, func(id identity.ID) error {
		if id != t.id {
			return fmt.Errorf("%s: another node answers than before: %v, not %v", t.address, id, t.id)
		}
		return nil
	})
}

// asAdmin connects with the admin's key, has the node confirm that it is one, and then calls do with a way to ask it.
func (t *target) asAdmin(ctx context.Context, key *identity.Key, check func(identity.ID) error, do func(ask func(wire.Record) (wire.Record, error)) error) error {
	conn, err := t.dial(ctx, key, func(id identity.ID) error { t.id = id; return check(id) })
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	g := &guest{key: key, name: "bench"}
	rand.Read(g.origin[:]) // never fails
	g.write = func(b []byte) error { _, err := conn.Write(b); return err }
	if err = conn.SetDeadline(time.Now().Add(joinLimit)); err == nil {
		err = bringIn(g, conn, g.feed)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.address, err)
	}
	t.title = g.title
	ask := func(question wire.Record) (wire.Record, error) {
		if err := conn.SetDeadline(time.Now().Add(joinLimit)); err != nil {
			return nil, err
		}
		return g.ask(conn, question)
	}
	// Admins alone may read the reports: whoever is told anything but that they are not among those is one. The question changes nothing.
	answer, err := ask(&wire.History{Room: chat.Reports, N: 1})
	if err != nil {
		return fmt.Errorf("%s: ask whether %v is an admin: %w", t.address, key.ID(), err)
	}
	if failed, ok := answer.(*wire.Failed); ok && failed.Code != chat.NoSuchRoom {
		return fmt.Errorf("%s does not know the key %v as one of its admins (it says: %s); it is measured with an admin's consent alone: start it with -admin %v",
			t.address, key.ID(), failed.Code.Sentence(), key.ID())
	}
	return do(ask)
}

// consent says what is about to be done, and asks the user, unless they have said yes already.
func (t *target) consent(c *Console, admin *identity.Key, cfg *config) error {
	messages := cfg.runs * cfg.perRun()
	fmt.Fprintf(c.Err, `-- %s (%s) at %s, with the consent of its admin %s:
--   %d clients come over TLS from this machine, with %d new keys, which the node knows for good from then on
--   %d messages of %d bytes at most are said in a room that is made for it, %s, %s a second for %v in each run (of %d); each goes to all of the clients
--   everybody there can see the room, and others notice the load; the clients leave at the end, and the messages stay
`, chat.OneLine(t.title), t.id.Grouped(), t.address, admin.ID().Grouped(), cfg.clients[0], len(t.keys)+len(t.others), messages, cfg.payload, t.room,
		digits(cfg.rate), cfg.duration, cfg.runs)
	if t.yes {
		return nil
	}
	_, _ = io.WriteString(c.Err, "-- go on? [y/N] ")
	line, err := bufio.NewReader(io.LimitReader(c.In, 64)).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was done: you did not say yes")
	}
	return nil
}

// perRun returns how many messages a paced run says.
func (cfg *config) perRun() int {
	return max(1, int(cfg.duration/cfg.interval()))
}

// invite has the admin invite the keys that are to come: so a node lets them in that takes only whom it knows, or few at a time.
func (t *target) invite(cfg *config, ask func(wire.Record) (wire.Record, error)) error {
	good := time.Duration(cfg.runs)*cfg.duration + inviteMargin
	answer, err := ask(&wire.Invite{Uses: uint64(len(t.keys) + len(t.others)), ForMS: uint64(good.Milliseconds())})
	if err != nil {
		return fmt.Errorf("%s: invite the clients: %w", t.address, err)
	}
	switch r := answer.(type) {
	case *wire.InviteIs:
		t.token = r.Token
		return nil
	case *wire.Failed:
		return fmt.Errorf("%s does not invite the clients: %s", t.address, r.Code.Sentence())
	}
	return fmt.Errorf("%s: no invitation, but %T", t.address, answer)
}

// side returns the node as one side of a measurement, the only one.
func (t *target) side(cfg *config) *side {
	return &side{
		name: "against", secure: true, read: readEach,
		dial: func(ctx context.Context, number int) (net.Conn, error) {
			return t.again(ctx, t.keys[number/sessionsEach])
		},
		join: func(r *reader) error {
			i := r.number / sessionsEach
			return joinNode(r, entry{rooms: []string{t.room}, pass: t.pass(fmt.Sprintf("listener-%d", i), t.keys[i])})
		},
		publish: func(ctx context.Context, _ string, number int, fail context.CancelCauseFunc) (publisher, error) {
			key := t.others[number]
			return newAuthor(ctx, t.address, number, cfg, pace{
				inFlight: chat.MaxInFlight, rooms: []string{t.room}, pass: t.pass(publisherName(number), key),
				dial: func(ctx context.Context) (net.Conn, error) { return t.again(ctx, key) },
			}, fail)
		},
	}
}

// pass returns one for a client. Its name is of this measurement alone, and the same for all of a key's.
func (t *target) pass(name string, key *identity.Key) *pass {
	tag := strings.TrimPrefix(t.room, roomName)
	return &pass{name: name + tag, key: key, token: t.token}
}

// load brings all clients in, has publishers speak at the steady rate, and prints what came of it.
func (cfg *config) load(ctx context.Context, c *Console, p *progress) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		var refused *refusal
		if errors.As(err, &refused) {
			err = fmt.Errorf("%w; that is a limit of the node's, for each address or in all, and fewer clients (-n) or messages (-rate) may pass", err)
		}
	}()
	n, s := cfg.clients[0], cfg.against.side(cfg)
	v := &visit{config: cfg, side: s, child: &child{name: "the node"}, values: make(values, len(measures))}
	p.say("against %s: %d clients come", cfg.against.address, n)
	if v.crowd, err = newCrowd(ctx, s, cfg.against.address, n, fail); err != nil {
		return err
	}
	defer v.crowd.close()
	for i := range cfg.publishers {
		a, err := s.publish(ctx, cfg.against.address, i, fail)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i, err)
		}
		defer a.(*author).leave()
		v.publishers = append(v.publishers, a)
	}
	return v.measureAgainst(ctx, c, n, p)
}

// measureAgainst measures what can be seen from outside, in each run.
func (v *visit) measureAgainst(ctx context.Context, c *Console, n int, p *progress) error {
	out, of := newFigures(v.config, c.Out), fmt.Sprintf("%d clients", n)
	p.begin(v.runs)
	slowest := v.rate
	for run := range v.runs {
		p.step(1, "against %s: %s, run %d of %d", v.against.address, of, run+1, v.runs)
		if err := v.paced(ctx, v.publishers); err != nil {
			return err
		}
		value := func(key string) float64 { return v.values[measureOf(modePaced, key)] }
		took := value("messages_per_s")
		slowest = min(slowest, took)
		out.add(of, keptRate, took)
		out.add(of, deliveryRate, took*float64(n))
		out.add(of, latencyMedian, value("latency_p50_ms"))
		out.add(of, latencyTail, value("latency_p99_ms"))
		out.add(of, bytesPerDelivery, value("bytes_per_delivery"))
	}
	p.clear()
	if slowest < keepsUp*v.rate {
		fmt.Fprintf(c.Err, "-- only %s of %s messages a second were taken: what was measured may be the node's own limits (-rate for each key, -room-rate for each room), or the way there\n",
			digits(slowest), digits(v.rate))
	}
	fmt.Fprintln(c.Err, "-- the node's CPU and memory can't be seen from here")
	return out.print(scenarioAgainst)
}
