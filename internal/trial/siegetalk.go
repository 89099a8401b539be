package trial

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/siege"
	"chatnode/internal/wire"
)

// talkAttacks are on names, rooms and texts, and by too much of each.
var talkAttacks = []attack{
	{name: "names that are none", guests: len(badNames), links: 2, run: takesBadNames},
	{name: "names of others", guests: 4, run: takesNames},
	{name: "rooms that are none", guests: 4, kib: answerKiB, run: entersBadRooms},
	{name: "texts that drive a terminal", guests: 2, run: drivesTerminals},
	{name: "texts that are too long, or none", guests: 4, run: badTexts},
	{name: "message flood", guests: 1, kib: 1024, run: floodsRoom},
	{name: "tiny messages under one key", guests: 4, kib: 512, run: tinyMessages},
	{name: "makes up rooms", guests: 4, kib: 256, run: makesUpRooms},
	{name: "renames", guests: 4, run: renames},
	{name: "scrapes history and search", guests: 4, kib: answerKiB, run: scrapes},
	{name: "writes into the log", guests: 4, links: 5, run: writesIntoLog},
}

// injected is what would be a line of its own in a log, or an order to a terminal.
const injected = "x\ntime=2026-01-01T00:00:00Z level=ERROR msg=\"injected\"\r\n\x1b]0;title\a"

// badNames are not to be had.
var badNames = []string{
	"", " ", "a b", "a\nb", "a\tb", "a\x00b", "\x1b[31mred", "a\u200bb", "\u200b", "a\u202eb", "\u2066a", "a\u00adb", "a\ufe0f", "\u0301a", "e\u0301",
	"system", "SYSTEM", "\uff53ystem", "Admin", "you", "a/b", "../a", "a.b.>", "*", "@bob", "#room", "-a", ".a", "a\ue000", "\U000e0041",
	"\U0001f600", "a\u2028b", "<b>", "\"", "\\", "~", "~7q2f", strings.Repeat("a", chat.MaxName+1), strings.Repeat("a", 1000),
	"a" + strings.Repeat("\u0315", 500), injected,
}

func takesBadNames(c *camp) {
	c.each(func(i int) {
		name := badNames[i%len(badNames)]
		conn := c.link()
		c.must(conn.Say(siege.Control, c.hello(conn, name)))
		if got, err := conn.Farewell(); err != nil || got != chat.BadName {
			c.Errorf("%s: a hello as %.40q ends with %s (%v), want bad_name", c.name, name, got, err)
		}
		conn = c.enter(i)
		c.must(conn.Say(siege.Chat, &wire.Nick{Name: name}))
		named, err := siege.Await[*wire.Named](conn, siege.Chat)
		c.must(err)
		if named.Code != chat.BadName {
			c.Errorf("%s: a change to %.40q is answered with %s, want bad_name", c.name, name, named.Code)
		}
	})
}

// takesNames asks for the name of a good client, as it is and as it looks.
func takesNames(c *camp) {
	skeleton := chat.Skeleton(c.members[0].name)
	for _, name := range []string{"alice", "ALICE", "\uff41lice", "\u0430lice", "al\u0456ce", "\u03b1lice", "alice~aaaa"} {
		conn := c.link()
		granted := ""
		switch welcome, err := conn.Enter(name); {
		case err == nil:
			granted = welcome.Name
		case !isRefusal(err, chat.BadName):
			c.must(err)
		}
		if granted != "" && !strings.Contains(granted, chat.SuffixMark) && chat.Skeleton(granted) == skeleton {
			c.Errorf("%s: %q is granted to another key", c.name, granted)
		}
		conn.Close()
		conn = c.enter(0)
		c.must(conn.Say(siege.Chat, &wire.Nick{Name: name}))
		named, err := siege.Await[*wire.Named](conn, siege.Chat)
		c.must(err)
		if named.Code == chat.OK && chat.Skeleton(named.Name) == skeleton {
			c.Errorf("%s: %q is taken by another key", c.name, named.Name)
		}
		conn.Close()
	}
}

// isRefusal reports whether err is the node's goodbye for that reason.
func isRefusal(err error, code chat.Code) bool {
	var refused *siege.Refused
	return errors.As(err, &refused) && refused.Code == code
}

// badRooms lead nowhere: out of a folder, to other subjects, into a log.
var badRooms = []string{
	"", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", `a\b`, "a.b.>", ">", "*", "a.*", "$JS.API.>", "$SYS", "a b", "A", "a\x00b", "a\nb", "a\rb",
	"con:", "a:b", "a%2fb", "'; DROP TABLE message; --", "a\u202eb", "a\u200bb", "\x1b[2J", "-rf", ".hidden", "~", "lobby~7q2f",
	strings.Repeat("a", chat.MaxRoom+1), strings.Repeat("../", 300), injected,
	"@nobody", "@../x", "@@", "@\x00", "@cn1" + strings.Repeat("a", 56), "@" + injected, "@" + strings.Repeat("a", 1000),
}

func entersBadRooms(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		cseq := uint64(0)
		for _, name := range badRooms {
			want := chat.BadRoom
			if strings.HasPrefix(name, chat.DirectMark) {
				want = chat.NoSuchUser
			}
			cseq++
			c.must(conn.Say(siege.Chat, &wire.Join{Room: name}, &wire.Pub{CSeq: cseq, Room: name, Kind: chat.Text, Body: []byte("x")}, &wire.Part{Room: name}))
			open, err := siege.Await[*wire.Open](conn, siege.Chat)
			c.must(err)
			refused, err := siege.Await[*wire.Refused](conn, siege.Chat)
			c.must(err)
			if open.Status != wire.StatusDenied || open.Code != want || refused.Code != want {
				c.Errorf("%s: %.40q is opened with %s and spoken to with %s, want %s", c.name, name, open.Code, refused.Code, want)
			}
		}
		for _, name := range []string{"../x", "*", injected, "@" + injected, strings.Repeat("a", 10_000)} {
			for _, question := range []wire.Record{
				&wire.Names{Room: name, After: name}, &wire.Whois{Who: name}, &wire.History{Room: name, N: 1}, &wire.Keep{Room: name},
				&wire.Search{Words: name, Room: name, From: name, N: 1}, &wire.Search{Words: `"` + name + `* OR NEAR(a b`, N: 1},
			} {
				c.must(conn.Say(siege.Control, question))
			}
			c.must(conn.Say(siege.Control, &wire.Watch{Rooms: slices.Repeat([]string{name}, 6)}))
		}
		c.answers(conn)
	})
}

// drivers are texts that would move a cursor, set a title, fill a clipboard, or turn the direction of what stands behind them.
var drivers = []string{
	"\x1b[2J\x1b[H", "\x1b]0;title\a", "\x1b]52;c;cm0gLXJm\x1b\\", "\x1bP$q\"p\x1b\\", "\x1b_app\x1b\\", "\u009b31m", "\u009d0;t\u009c", "\u0090q\u009c",
	"\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "a\rb", "a\bb", "a\vb\fc", "a\x7fb", "a\x00b", "\x0e\x0f",
	"\u202eevil", "\u2066\u2067\u2068x", "\u200f\u061cx",
	"a\u2028b\u2029c", "\U000e0001\U000e0041x", "\ufff9a\ufffab\ufffb", "\ufdd0\uffff\U0010ffff x", "\x1b\x1b[\x1b]\x1b", "\u0085x", injected,
	"a" + strings.Repeat("\u0301\u0489", 1800), strings.Repeat("\ufe0f", 500) + "x",
}

// drivesTerminals says drivers in every kind of text. What others are sent of them has nothing in it that drives.
func drivesTerminals(c *camp) {
	const stage = "stage"
	reader, writer := c.enter(0), c.enter(1)
	c.must(reader.Say(siege.Chat, &wire.Join{Room: stage}))
	_, err := siege.Await[*wire.Open](reader, siege.Chat) // else it may join behind what it is to read
	c.must(err)
	cseq, rows := uint64(0), uint64(0)
	for _, text := range drivers {
		for _, kind := range []chat.Kind{chat.Text, chat.Action, chat.Topic} {
			body := "x" + text
			if kind == chat.Topic && len(body) > chat.MaxTopic {
				continue
			}
			cseq++
			c.must(writer.Say(siege.Chat, &wire.Pub{CSeq: cseq, Room: stage, Kind: kind, Body: []byte(body)}))
		}
	}
	for answered := uint64(0); answered < cseq; answered++ {
		switch r := c.answer(writer).(type) {
		case *wire.Ack:
			rows = max(rows, r.Seq)
		case *wire.Refused:
			c.Errorf("%s: publish %d is refused: %s", c.name, r.CSeq, r.Code)
		}
	}
	for seq := uint64(0); seq < rows; {
		event, err := siege.Await[*wire.Event](reader, siege.Chat)
		c.must(err)
		seq = event.Seq
		if at := bytes.IndexFunc(event.Body, drives); at >= 0 || !utf8.Valid(event.Body) {
			c.Errorf("%s: a reader is sent %.80q", c.name, event.Body)
		}
	}
	c.must(reader.Say(siege.Chat, &wire.Join{Room: stage}))
	open, err := siege.Await[*wire.Open](reader, siege.Chat)
	c.must(err)
	if strings.ContainsFunc(open.Topic, drives) || strings.ContainsAny(open.Topic, "\n\t") {
		c.Errorf("%s: a reader is sent the topic %q", c.name, open.Topic)
	}
}

// answer returns the next answer to a publish.
func (c *camp) answer(conn *siege.Conn) wire.Record {
	c.Helper()
	for {
		record, err := conn.Next(siege.Chat)
		c.must(err)
		switch record.(type) {
		case *wire.Ack, *wire.Refused, *wire.Nack:
			return record
		}
	}
}

// drives reports whether a terminal may do more with a character of a text than show it (ECMA-48; Unicode, UAX 9).
func drives(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

func badTexts(c *camp) {
	lines := strings.Repeat("x\n", chat.MaxLines) + "x"
	c.each(func(i int) {
		conn := c.enter(i)
		for n, test := range []struct {
			kind chat.Kind
			body string
			want chat.Code
		}{
			{chat.Text, "\xff", chat.BadText}, {chat.Text, "a\xc3(", chat.BadText}, {chat.Text, "\xed\xa0\x80", chat.BadText}, // a surrogate
			{chat.Text, "\xc0\xaf", chat.BadText}, {chat.Text, "\xf4\x90\x80\x80", chat.BadText}, // too long a spelling, beyond Unicode
			{chat.Text, "", chat.Empty}, {chat.Text, " \t\n", chat.Empty}, {chat.Text, "\x00\x1b\x07", chat.Empty},
			{chat.Action, "\u200b\u2060\u202e", chat.Empty},
			{chat.Text, strings.Repeat("a", chat.MaxText+1), chat.TooLong}, {chat.Text, strings.Repeat("\u0301", 30_000), chat.TooLong},
			{chat.Text, lines, chat.TooLong}, {chat.Topic, strings.Repeat("a", chat.MaxTopic+1), chat.TooLong},
			{0, "x", chat.BadKind}, {200, "x", chat.BadKind},
		} {
			c.must(conn.Say(siege.Chat, &wire.Pub{CSeq: uint64(n + 1), Room: bulk, Kind: test.kind, Body: []byte(test.body)}))
			if r, ok := c.answer(conn).(*wire.Refused); !ok || r.Code != test.want {
				c.Errorf("%s: %.40q of kind %d is answered with %+v, want %s", c.name, test.body, test.kind, r, test.want)
			}
		}
		_ = conn.Send(siege.Chat, siege.Record(bytes.Repeat([]byte("a\u0301"), 1<<20/3))) // a megabyte of it is no record at all
		c.expelled(conn, chat.Malformed)
	})
}

// floodsRoom says as much as it can where the good ones are. The node takes no more of it than of anybody.
func floodsRoom(c *camp) {
	const messages = 1000
	conn := c.enter(0)
	story := c.history.Client("flood")
	began := time.Now()
	for n := range uint64(messages) {
		text := fmt.Sprintf("flood %d", n+1)
		story.Invoke(n+1, room, text)
		c.must(conn.Say(siege.Chat, &wire.Pub{CSeq: n + 1, Room: room, Kind: chat.Text, Body: []byte(text)}))
	}
	c.paced(began, siegeBurst+siegeRate/2, func() {
		_, err := siege.Await[*wire.Ack](conn, siege.Chat)
		c.must(err)
	})
}

// paced awaits so many messages to be taken of one key, and fails the test when that was sooner than the node's rate allows.
func (c *camp) paced(began time.Time, messages int, await func()) {
	c.Helper()
	for range messages {
		await()
	}
	least := time.Duration(messages-siegeBurst) * time.Second / siegeRate
	if took := time.Since(began); took < least*9/10 {
		c.Errorf("%s: %d messages are taken in %v, want no less than %v", c.name, messages, took, least)
	}
}

// tinyMessages fills the disk with the least that is a message, from several connections of one key.
func tinyMessages(c *camp) {
	const each = 400
	first := c.enter(0)
	conns := []*siege.Conn{first}
	for range c.n - 1 {
		conn, err := c.target.Link(c.ctx, first.Key)
		c.must(err)
		_, err = conn.Enter("mallory0")
		c.must(err)
		conns = append(conns, conn)
	}
	began := time.Now()
	for _, conn := range conns {
		for n := range uint64(each) {
			c.must(conn.Say(siege.Chat, &wire.Pub{CSeq: n + 1, Room: "dust", Kind: chat.Text, Body: []byte(".")}))
		}
	}
	next := 0
	c.paced(began, (siegeBurst+siegeRate/2)/len(conns)*len(conns), func() {
		next++
		_, err := siege.Await[*wire.Ack](conns[next%len(conns)], siege.Chat)
		c.must(err)
	})
}

// makesUpRooms joins and speaks to rooms that nobody has heard of.
func makesUpRooms(c *camp) {
	const each = 500
	c.each(func(i int) {
		conn := c.enter(i)
		opened := 0
		for n := range each {
			c.must(conn.Say(siege.Chat, &wire.Join{Room: fmt.Sprintf("made-up-%d-%d", i, n)}))
		}
		for range each {
			open, err := siege.Await[*wire.Open](conn, siege.Chat)
			c.must(err)
			switch {
			case open.Status != wire.StatusDenied:
				opened++
			case open.Code != chat.RoomRate:
				c.Errorf("%s: a room is denied for reason %s, want room_rate", c.name, open.Code)
			}
		}
		const atOnce = 10
		if opened > atOnce {
			c.Errorf("%s: one key has made %d rooms, want at most %d", c.name, opened, atOnce)
		}
	})
}

// renames asks for one name after the other.
func renames(c *camp) {
	const each = 500
	c.each(func(i int) {
		conn := c.enter(i)
		for n := range each {
			c.must(conn.Say(siege.Chat, &wire.Nick{Name: fmt.Sprintf("churn%d.%d", i, n)}))
		}
		for range each {
			_, err := siege.Await[*wire.Named](conn, siege.Chat)
			c.must(err)
		}
	})
}

// scrapes asks faster than it is answered: two hundred questions at once and twenty a second more, and one that is read from the disk counts as four.
func scrapes(c *camp) {
	const rounds, heard, atOnce, aSecond, disk = 100, 20, 200, 20, 4
	c.each(func(i int) {
		conn := c.enter(i)
		began := time.Now()
		for n := range uint64(rounds) {
			c.must(conn.Say(siege.Control,
				&wire.History{Room: bulk, Before: bulkRows - n, N: chat.MaxTail}, &wire.Search{Words: "xxxx", N: chat.MaxHits},
				&wire.Search{Words: "a* b* c*", From: "alice", N: 1 << 40}))
		}
		for range heard {
			_, err := siege.Await[*wire.HistoryIs](conn, siege.Control)
			c.must(err)
		}
		least := time.Duration((3*heard-2)*disk-atOnce) * time.Second / aSecond
		if took := time.Since(began); took < least*9/10 {
			c.Errorf("%s: %d pages are had in %v, want no less than %v", c.name, heard, took, least)
		}
	})
}

// logLine is a line of a node's log, and nothing else.
var logLine = regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=("([^"\\]|\\.)*"|\S+)( [a-z_]+=("([^"\\]|\\.)*"|[^\s"]*))*$`)

// writesIntoLog has the node log what it was sent wherever that may get into a log. Each of the log's lines stays one.
func writesIntoLog(c *camp) {
	c.each(func(i int) {
		conn := c.link()
		c.must(conn.Say(siege.Control, c.hello(conn, injected)))
		c.expelled(conn, chat.BadName)
		conn = c.link()
		c.must(conn.Send(siege.Control, siege.Record([]byte(injected))))
		c.expelled(conn, chat.Malformed)
		c.must(c.raw([]byte(injected)...).Ended())
		conn = c.enter(i)
		c.must(conn.Send(siege.Chat, siege.Record(append([]byte{0x82, wire.TypePart, 0x78, byte(len(injected) + 1)}, injected+"\xff"...))))
		c.expelled(conn, chat.Malformed)
		conn = c.enter(i)
		c.must(conn.Say(siege.Control, &wire.Bye{Code: 9, Text: injected}))
		c.must(conn.Ended())
	})
	said := c.node.Said()
	if !strings.Contains(said, "msg=serving") {
		c.Errorf("%s: the log is %q", c.name, said)
	}
	for line := range strings.Lines(said) {
		if line, whole := strings.CutSuffix(line, "\n"); whole && (!logLine.MatchString(line) || strings.Contains(line, "level=ERROR")) {
			c.Errorf("%s: a line of the log is %q", c.name, line)
		}
	}
}
