package session

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/screen"
	"chatnode/internal/wire"
)

// TestNoAttackReachesTheLog: what a guest sends, in whichever place, stands in no line that the node's operator reads.
func TestNoAttackReachesTheLog(t *testing.T) {
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler {
			return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		"json": func(b *bytes.Buffer) slog.Handler {
			return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			for _, a := range screen.Attacks {
				if len(a.Text) > chat.MaxText {
					continue
				}
				for where, attack := range attacks(a.Text) {
					var b bytes.Buffer
					log := slog.New(handler(&b))
					host := *h
					host.Log = log
					g := arrive(t, &host)
					attack(g)
					for bye := false; !bye; {
						item, err := g.fromControl.Next()
						if err != nil {
							t.Fatalf("%s in %s: no goodbye: %v", a.Name, where, err)
						}
						r, _ := wire.Decode(item)
						_, bye = r.(*wire.Bye)
					}
					g.link.Close()
					err := <-g.ended
					log.Info("session ended", "err", err) // as the node does
					if lines, found := screen.Read(b.String()); len(found) > 0 || len(lines) != 1 {
						t.Errorf("%s in %s: a terminal found %q in %q", a.Name, where, found, &b)
					}
				}
			}
		})
	}
}

// attacks returns ways to send a text that a node says goodbye to.
func attacks(text string) map[string]func(g *guest) {
	garbage := []byte{0, 0, 0, 3, 'a', 'b', 'c'}
	ways := map[string]func(g *guest){
		"no record": func(g *guest) {
			g.enter("carol")
			_, _ = g.control.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
		},
		"a body": func(g *guest) {
			g.enter("carol")
			g.say(g.chat, &wire.Join{Room: "lobby"}, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte(text)})
			_, _ = g.chat.Write(garbage)
		},
	}
	if utf8.ValidString(text) {
		ways["a name"] = func(g *guest) { g.hello(text, nil) }
		ways["a room"] = func(g *guest) {
			g.enter("carol")
			g.say(g.chat, &wire.Join{Room: text}, &wire.Nick{Name: text}, &wire.Pub{CSeq: 1, Room: text, Kind: chat.Text, Body: []byte("hi")})
			_, _ = g.chat.Write(garbage)
		}
	}
	return ways
}

// TestLongNames: a name that fills its record would come back in an answer that is longer still. It ends that session, and nothing else.
func TestLongNames(t *testing.T) {
	const heads = 5 // of the array, the type and the text
	longest := strings.Repeat("a", wire.MaxRecord-heads)
	h := newHost(t)
	for name, send := range map[string]func(g *guest, text string){
		"part": func(g *guest, text string) { g.say(g.chat, &wire.Part{Room: text}) },
		"nick": func(g *guest, text string) { g.say(g.chat, &wire.Nick{Name: text}) },
		"join": func(g *guest, text string) { g.say(g.chat, &wire.Join{Room: text[3:]}) },
		"move": func(g *guest, text string) { g.say(g.chat, &wire.Join{Room: text[6:], Moved: &wire.Moved{}}) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{longest, longest[:maxRequest]} {
				g := arrive(t, h)
				g.enter(fmt.Sprint(name, len(text)))
				send(g, text)
				if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
					t.Errorf("%d bytes: goodbye with %v, want malformed", len(text), bye.Code)
				}
				g.link.Close()
				<-g.ended
			}
		})
	}
	g := arrive(t, h)
	g.enter("carol")
	g.say(g.chat, &wire.Part{Room: longest[:maxRequest-heads]}, &wire.Pub{CSeq: 1, Room: "@" + longest[:40_000], Kind: chat.Text, Body: []byte("hi")})
	if closed := expect[*wire.Closed](g, g.fromChat); closed.Code != chat.NotJoined {
		t.Errorf("what is just short enough: closed with %v, want not_joined", closed.Code)
	}
	if refused := expect[*wire.Refused](g, g.fromChat); refused.Code != chat.NoSuchUser {
		t.Errorf("a publish to nobody: refused with %v, want no_such_user", refused.Code)
	}
}
