// Package door is both sides of the port before there is a link: who knocks, told by the first byte; what is said to those who came to the wrong
// house; how many may stand there from one address; and the way of a client from an address to a connection. It knows no keys and no frames.
package door

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"time"
)

// Guest is what somebody who connects takes the port for.
type Guest uint8

const (
	Stranger Guest = iota // nobody that is known here
	TLS                   // a TLS client: chatnode's, it seems
	Plain                 // chatnode without TLS: the first byte of yamux is its version, 0
	HTTP
	IRC
	SSH
)

// String returns what the guest speaks, for the log.
func (g Guest) String() string {
	return [...]string{"none that is known", "TLS", "chatnode without TLS", "HTTP", "IRC", "SSH"}[g]
}

// First bytes.
const (
	tlsHandshake = 0x16 // RFC 8446, 5.1
	tlsAlert     = 0x15
	yamuxVersion = 0x00
)

// Bounds on what is read of guests who came to the wrong house, and on how long.
const (
	maxOpening   = 512
	openingLimit = time.Second
	farewell     = time.Second
	maxFarewell  = 64 << 10
)

// openings tells guests apart by the first word that they say.
var openings = map[string]Guest{
	"GET": HTTP, "HEAD": HTTP, "POST": HTTP, "PUT": HTTP, "DELETE": HTTP, "OPTIONS": HTTP, "CONNECT": HTTP, "TRACE": HTTP, "PATCH": HTTP, "PRI": HTTP,
	"NICK": IRC, "USER": IRC, "PASS": IRC, "CAP": IRC, "PING": IRC, "JOIN": IRC, "SERVER": IRC,
}

// Knock waits for the first byte that comes over conn and returns who sent it, and a connection that begins with that byte. Of a guest who speaks in
// words it reads a line, within a second. The caller sets a deadline and closes conn, or what is returned, which closes it too.
func Knock(conn net.Conn) (net.Conn, Guest, error) {
	var first [1]byte
	if _, err := io.ReadFull(conn, first[:]); err != nil {
		return conn, Stranger, err
	}
	opened := &begun{Conn: conn, early: first[:]}
	switch c := first[0]; {
	case c == tlsHandshake:
		return opened, TLS, nil
	case c == yamuxVersion:
		return opened, Plain, nil
	case c < ' ' || c > '~':
		return opened, Stranger, nil
	}
	opened.early = readLine(conn, first[0])
	return opened, guestOf(opened.early), nil
}

// readLine returns first and what follows it up to the end of the line, as much as comes soon.
func readLine(conn net.Conn, first byte) []byte {
	line := append(make([]byte, 0, maxOpening), first)
	_ = conn.SetReadDeadline(time.Now().Add(openingLimit)) // what has come by then is enough
	for len(line) < cap(line) && !bytes.ContainsRune(line, '\n') {
		n, err := conn.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if err != nil {
			break
		}
	}
	return line
}

// guestOf tells who begins with this line.
func guestOf(line []byte) Guest {
	if bytes.HasPrefix(line, []byte("SSH-")) {
		return SSH
	}
	word, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	return openings[string(word)] // Stranger for all others
}

// begun is a connection of which some bytes have been read.
type begun struct {
	net.Conn
	early []byte // comes first; owned by the goroutine that reads
}

func (c *begun) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// NetConn returns the connection beneath.
func (c *begun) NetConn() net.Conn { return c.Conn }

// mark begins what a node says in words, so that a client of chatnode knows who speaks.
const mark = "chatnode: "

// TurnAway tells a guest one plain sentence in the way that their program shows it, and closes the connection, which is the one that Knock was given. It takes a second at most.
func TurnAway(conn net.Conn, guest Guest, sentence string) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(farewell))
	text := mark + sentence + "\r\n"
	switch guest {
	case HTTP:
		text = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + strconv.Itoa(len(text)) +
			"\r\nConnection: close\r\n\r\n" + text
	case IRC:
		text = "ERROR :" + text
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return
	}
	// A socket that is closed while bytes wait in it takes back what it was about to say (RFC 1122, 4.2.2.13).
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, maxFarewell)
	}
}

// TurnAwayAtOnce is TurnAway of a guest of whom nothing has been read, in a moment: the sentence may be lost.
func TurnAwayAtOnce(conn net.Conn, sentence string) {
	const moment = 50 * time.Millisecond // for a hello that is on its way
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(moment))
	var hello [4 << 10]byte
	_, _ = conn.Read(hello[:])
	_, _ = io.WriteString(conn, mark+sentence+"\r\n")
}
