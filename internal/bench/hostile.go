package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/identity"
)

const (
	// dripEvery is how long a dribbler waits before its next byte.
	dripEvery = time.Second
	// A hostile guest that is thrown out comes again, no sooner than comesBack after it came the last time.
	comesBack = 500 * time.Millisecond
	// newcomerEvery is how long after one good newcomer has been welcomed the next one comes.
	newcomerEvery = time.Second
	// deafBuffer is the receive buffer of a guest that never reads, in bytes: nearly all that it is sent stays with the node.
	deafBuffer = 4 << 10
	// lastLook is how long it is looked, at the end, whether a guest that never reads still has its connection.
	lastLook = 50 * time.Millisecond
	// garbageSize is how much a guest says that makes no sense.
	garbageSize = 64
)

// grudge is a way to be hostile.
type grudge int

const (
	silent   grudge = iota // connects and says nothing
	halfWay                // says half of a TLS hello
	dribbles               // says all of it, a byte every dripEvery
	deaf                   // is welcomed and joins the room, with a key of its own, and never reads
	garbled                // says what makes no sense
	mistaken               // asks for a web page
	grudges
)

// thrownOut are the measures that count who was thrown out.
var thrownOut = [grudges]string{"thrown_silent", "thrown_half_way", "thrown_dribbling", "thrown_deaf", "thrown_garbled", "thrown_http"}

// hostileSides returns the node with hostile connections beside its clients and without, both under TLS.
func (cfg *config) hostileSides(node program) [2]*side {
	sides := [2]*side{cfg.nodeSide("hostile", node.servingTLS("-ephemeral"), true), cfg.nodeSide("alone", node.servingTLS("-ephemeral"), true)}
	for _, s := range sides {
		s.read = readEach
	}
	sides[0].hostile = cfg.hostile
	return sides
}

// mob is all hostile guests of one node. Each comes again when it has been thrown out, but for the deaf, who would not hear of it.
type mob struct {
	// Static after construction.
	ctx     context.Context
	cancel  context.CancelFunc
	address string
	hello   []byte // of TLS
	fail    context.CancelCauseFunc
	working sync.WaitGroup

	// Atomic.
	made   atomic.Uint64 // connections
	thrown [grudges]atomic.Uint64
}

// newMob sets n hostile guests upon a node, as many of each grudge, and returns when all have connected. The deaf come first: once the others
// are there, there is a queue at the door. What goes wrong with one, beyond its being thrown out, goes to fail.
func newMob(ctx context.Context, address string, n int, fail context.CancelCauseFunc) (*mob, error) {
	hello, err := clientHello()
	if err != nil {
		return nil, err
	}
	m := &mob{address: address, hello: hello, fail: fail}
	m.ctx, m.cancel = context.WithCancel(ctx)
	var deafOnes, others sync.WaitGroup
	for i := range n {
		if grudge(i)%grudges == deaf {
			deafOnes.Add(1)
			m.working.Go(func() { m.sitDeaf(i, deafOnes.Done) })
		}
	}
	deafOnes.Wait()
	for i := range n {
		if g := grudge(i) % grudges; g != deaf {
			others.Add(1)
			m.working.Go(func() { m.pester(i, g, others.Done) })
		}
	}
	others.Wait()
	if err := context.Cause(ctx); err != nil {
		m.end()
		return nil, err
	}
	return m, nil
}

// end sends everybody home and returns when they have gone.
func (m *mob) end() {
	m.cancel()
	m.working.Wait()
}

// pester comes and comes again until m ends, and calls came when it has connected for the first time, or never will.
func (m *mob) pester(number int, g grudge, came func()) {
	first := sync.OnceFunc(came)
	defer first()
	for m.ctx.Err() == nil {
		began := time.Now()
		conn, err := dial(m.ctx, m.address)
		if err != nil {
			m.failed(number, err)
			return
		}
		m.made.Add(1)
		first()
		stop := context.AfterFunc(m.ctx, func() { conn.Close() })
		m.bother(conn, g)
		if stop() {
			m.thrown[g].Add(1)
			conn.Close()
		}
		pause(m.ctx, time.Until(began.Add(comesBack)))
	}
}

// bother does to one connection what a grudge is, and returns when it has been thrown out.
func (m *mob) bother(conn net.Conn, g grudge) {
	var opening, drip []byte
	switch g {
	case halfWay:
		opening = m.hello[:len(m.hello)/2]
	case dribbles:
		drip = m.hello
	case garbled:
		opening = make([]byte, garbageSize)
		rand.Read(opening) // never fails
	case mistaken:
		opening = []byte("GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
	}
	if _, err := conn.Write(opening); err != nil {
		return
	}
	for i := range drip {
		if _, err := conn.Write(drip[i : i+1]); err != nil || !stands(conn, dripEvery) {
			return
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn)
}

// stands takes what comes over conn for a time and reports whether it is open still.
func stands(conn net.Conn, d time.Duration) bool {
	if conn.SetReadDeadline(time.Now().Add(d)) != nil {
		return false
	}
	_, err := io.Copy(io.Discard, conn)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// sitDeaf joins the room and does not read what is said there. It calls came when it has joined, or never will.
func (m *mob) sitDeaf(number int, came func()) {
	first := sync.OnceFunc(came)
	defer first()
	c, err := newCaller(m.address, fmt.Sprintf("deaf-%d", number), true, 0)
	if err != nil {
		m.failed(number, err)
		return
	}
	conn, err := dial(m.ctx, m.address)
	if err != nil {
		m.failed(number, err)
		return
	}
	defer conn.Close()
	m.made.Add(1)
	stop := context.AfterFunc(m.ctx, func() { conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(deafBuffer) // else it costs the node less
	if err = conn.SetDeadline(time.Now().Add(joinLimit)); err == nil {
		_, _, err = c.enter(conn, true)
	}
	if !stop() || err != nil {
		m.failed(number, err)
		return
	}
	first()
	<-m.ctx.Done()
	if !stands(conn, lastLook) {
		m.thrown[deaf].Add(1)
	}
}

// failed passes on what went wrong with a guest, unless that is the end.
func (m *mob) failed(number int, err error) {
	if m.ctx.Err() == nil {
		m.fail(fmt.Errorf("hostile guest %d: %w", number, err))
	}
}

// clientHello returns what a client of chatnode's says first under TLS.
func clientHello() ([]byte, error) {
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	said := &deadEnd{}
	_ = tls.Client(said, identity.ClientTLS(key)).Handshake() // of which nothing comes
	// The head of a record ends with its length (RFC 8446, 5.1).
	const head = 5
	if said.Len() < head {
		return nil, errors.New("TLS says no hello")
	}
	return said.Next(head + int(binary.BigEndian.Uint16(said.Bytes()[head-2:]))), nil
}

// deadEnd is a connection that keeps what is written and from which nothing comes.
type deadEnd struct {
	net.Conn
	bytes.Buffer
}

func (d *deadEnd) Write(b []byte) (int, error) { return d.Buffer.Write(b) }
func (d *deadEnd) Read([]byte) (int, error)    { return 0, io.EOF }
func (d *deadEnd) Close() error                { return nil }

// besideHostile is paced with hostile guests beside the clients, if the side has any, and with good newcomers.
func (v *visit) besideHostile(ctx context.Context, fail context.CancelCauseFunc) error {
	m := &mob{cancel: func() {}}
	if v.side.hostile > 0 {
		var err error
		if m, err = newMob(ctx, v.child.address, v.side.hostile, fail); err != nil {
			return err
		}
		defer m.end()
	}
	newcomers, err := v.newcomers(ctx, fail)
	if err != nil {
		return err
	}
	defer newcomers()
	if err := v.paced(ctx, v.publishers[:1]); err != nil {
		return err
	}
	held, known := processMemory(v.child.cmd.Process.Pid)
	v.set(modeHostile, "newcomer_worst_ms", milliseconds(newcomers()))
	m.end()
	if known {
		v.set(modeHostile, "server_memory_mb", float64(held.resident)/(1<<20))
	}
	v.set(modeHostile, "hostile_connections", float64(m.made.Load()))
	for g, key := range thrownOut {
		v.set(modeHostile, key, float64(m.thrown[g].Load()))
	}
	return nil
}

// newcomers has one good newcomer come after the other until end is called, which returns how long the one waited for a welcome who waited
// longest. For whoever is still outside by then, that is the time until then.
func (v *visit) newcomers(ctx context.Context, fail context.CancelCauseFunc) (end func() time.Duration, err error) {
	c, err := newCaller(v.child.address, "newcomer", true, 0)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var worst time.Duration
	var coming sync.WaitGroup
	coming.Go(func() { // ends with ctx
		for ctx.Err() == nil {
			began := time.Now()
			err := c.call(ctx)
			worst = max(worst, time.Since(began))
			if err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("newcomer: %w", err))
				return
			}
			pause(ctx, newcomerEvery)
		}
	})
	return func() time.Duration {
		cancel()
		coming.Wait()
		return worst
	}, nil
}
