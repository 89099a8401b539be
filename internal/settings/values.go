package settings

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// list is a flag that may be given again.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// ids are key ids: a flag that may be given again.
type ids []identity.ID

func (i *ids) String() string {
	var all []string
	for _, id := range *i {
		all = append(all, id.String())
	}
	return strings.Join(all, ",")
}

func (i *ids) Set(s string) error {
	id, err := identity.ParseID(s)
	if err != nil {
		return errors.New("that is not a key id: one begins with cn1")
	}
	*i = append(*i, id)
	return nil
}

// period is a duration in chatnode's own spelling; 0 is none.
type period time.Duration

func (p *period) String() string {
	if *p == 0 {
		return ""
	}
	return chat.FormatDuration(time.Duration(*p))
}

func (p *period) Set(s string) error {
	d, err := chat.ParseDuration(s)
	if err == nil && d <= 0 {
		err = errors.New("must be more than 0")
	}
	*p = period(d)
	return err
}

// size is a number of bytes in chatnode's own spelling; 0 is none.
type size int64

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return chat.FormatSize(int64(*s))
}

func (s *size) Set(text string) error {
	n, err := chat.ParseSize(text)
	*s = size(n)
	return err
}

// Tail is a number of messages, or not given.
type Tail struct {
	N     int
	Given bool
}

// String returns the number, if one was given.
func (t *Tail) String() string {
	if !t.Given {
		return ""
	}
	return strconv.Itoa(t.N)
}

// Set takes a number from 0 to chat.MaxTail.
func (t *Tail) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > chat.MaxTail {
		return fmt.Errorf("must be a number from 0 to %d", chat.MaxTail)
	}
	*t = Tail{N: n, Given: true}
	return nil
}

// localAddress is a host and a port to listen on. Without a host it is one of this machine alone: to be reached from elsewhere takes an address that says so.
type localAddress string

func (a *localAddress) String() string { return string(*a) }

func (a *localAddress) Set(s string) error {
	if s == "" {
		*a = ""
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if _, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil {
		return errors.New("it is a port of this machine, such as :9090, or an address with a port, such as 192.0.2.5:9090")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	*a = localAddress(net.JoinHostPort(host, port))
	return nil
}
