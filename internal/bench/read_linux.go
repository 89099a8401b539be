package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
)

const (
	maxEvents = 256
	stopEvent = -1
)

// readAll reads all connections in a few threads, each with one epoll and one buffer: a goroutine for each of a thousand connections costs
// two more system calls and a buffer out of the cache for each small read, and what the load spends, the server lacks.
func readAll(c *crowd) (stop func(), err error) {
	threads := max(1, runtime.GOMAXPROCS(0)/2)
	wait, quit, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	var polls []*poll
	for i := range threads {
		p, err := newPoll(c, wait, i, threads)
		if err != nil {
			for _, p := range polls {
				p.close()
			}
			return nil, errors.Join(err, wait.Close(), quit.Close())
		}
		polls = append(polls, p)
	}
	for _, p := range polls {
		c.reading.Go(func() { // ends when the pipe does
			defer p.close()
			if err := p.run(); err != nil {
				c.fail(err)
			}
		})
	}
	return func() {
		quit.Close()
		c.reading.Wait()
		wait.Close()
	}, nil
}

// poll is one thread's share of the readers. Their sockets are duplicates, which the runtime's own poller does not know.
type poll struct {
	crowd *crowd
	epoll int
	fds   []int // by the reader's number; 0 for those of other threads
}

func newPoll(c *crowd, wait *os.File, share, shares int) (p *poll, err error) {
	p = &poll{crowd: c, fds: make([]int, len(c.readers))}
	if p.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an epoll: %w", err)
	}
	for i := share; i < len(c.readers) && err == nil; i += shares {
		err = p.add(c.readers[i])
	}
	if err == nil {
		err = control(wait, func(fd int) error { return p.watch(fd, stopEvent) })
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// add takes a reader's socket over.
func (p *poll) add(r *reader) error {
	fd := -1
	err := control(r.conn.(*net.TCPConn), func(original int) (err error) {
		if fd, err = syscall.Dup(original); err == nil {
			syscall.CloseOnExec(fd)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("duplicate a socket: %w", err)
	}
	p.fds[r.number] = fd
	_ = r.conn.Close() // the duplicate keeps the connection open
	r.write = func(b []byte) error { return writeNow(fd, b) }
	return p.watch(fd, r.number)
}

func (p *poll) watch(fd, number int) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(number)}
	if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// run reads until it is told to stop, or until a reader fails.
func (p *poll) run() error {
	events := make([]syscall.EpollEvent, maxEvents)
	buf := make([]byte, readSize)
	for {
		n, err := syscall.EpollWait(p.epoll, events, -1)
		if err != nil && err != syscall.EINTR {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		for i := range max(n, 0) {
			number := int(events[i].Fd)
			if number == stopEvent {
				return nil
			}
			if err := p.readOnce(p.crowd.readers[number], buf); err != nil {
				return err
			}
		}
	}
}

func (p *poll) readOnce(r *reader, buf []byte) error {
	n, err := syscall.Read(p.fds[r.number], buf)
	switch {
	case n > 0:
		return r.take(buf[:n])
	case err == syscall.EAGAIN, err == syscall.EINTR:
		return nil
	case err == nil:
		err = errClosed
	}
	return fmt.Errorf("client %d: %w", r.number, err)
}

func (p *poll) close() {
	for _, fd := range p.fds {
		if fd > 0 {
			_ = syscall.Close(fd)
		}
	}
	_ = syscall.Close(p.epoll)
}

// writeNow writes all of b or, while the socket is full, nothing. What is written is a few bytes, so a part of it is an error.
func writeNow(fd int, b []byte) error {
	n, err := syscall.Write(fd, b)
	switch {
	case err == syscall.EAGAIN:
		return errAgain
	case err == nil && n < len(b):
		return errors.New("write: the socket took only a part")
	}
	return err
}

// control calls f with a file's or a connection's descriptor.
func control(c syscall.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}
