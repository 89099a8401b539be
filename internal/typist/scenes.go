package typist

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// listens is what a node says of where it can be reached.
var listens = regexp.MustCompile(`chatnode -connect (127\.0\.0\.1:\d+)`)

// NodeAndUser: one program is a node and its user. Others come, and go when it ends.
func NodeAndUser(t testing.TB, home Home) {
	w := &town{TB: t, home: home}
	carol := Start(t, Desk{Width: 110, Height: 30, Env: home.Env}, "-listen", "127.0.0.1:0", "-name", "carol", "-title", titleText)
	carol.Wait("carol>", "#lobby (1)")
	carol.Press("alt+0")
	carol.WaitFor("the address", func(lines []string) bool { return listens.MatchString(strings.Join(lines, "\n")) })
	w.address = listens.FindStringSubmatch(strings.Join(carol.Screen(), "\n"))[1]
	carol.Press("alt+1")
	bob := w.sits("bob", Desk{})
	bob.Type("is this your machine?\n")
	carol.WaitSaid("bob", "is this your machine?")
	carol.Type("it is\n")
	bob.WaitSaid("carol", "it is")
	carol.Press("ctrl+d")
	if code := carol.End(); code != 0 {
		t.Errorf("carol's program ends with %d", code)
	}
	bob.Wait(unlinkedText)
}

// Picture draws what people see first, from a real run, into the file at path; with "" it only looks that all of it is there.
func Picture(t testing.TB, home Home, path string) {
	w := settle(t, home)
	bob := w.sits("bob", Desk{Width: 90, Height: 20})
	alice := w.sits("alice", Desk{Width: 90, Height: 20})
	bob.Type("/topic shift change at 16:00\n")
	bob.Type("pump 3 is **down**: see https://wiki.plant.example/pumps and run `reset --soft`\n")
	alice.WaitSaid("bob", "pump 3")
	carol := w.sits("carol", Desk{Width: 108, Height: 24})
	carol.WaitSaid("bob", "pump 3")
	alice.Type("carol: can you look?\n")
	carol.WaitSaid("alice", "carol: can you look?")
	carol.Press("alt+up")
	carol.Type("/reply on my way, 小林 has the key\n")
	alice.Wait("on my way")
	alice.Type("/me puts the kettle on\n")
	bob.Type("/join ops\n")
	bob.Wait("#ops")
	carol.Type("/join ops\n")
	carol.Wait("#ops")
	carol.Press("alt+1")
	carol.Wait(">1 #lobby")
	bob.Type("deploy is through\n")
	alice.Type("/msg carol lunch at noon?\n")
	carol.Wait("@alice", "1!")
	carol.WaitFor("what is unread in #ops", func(lines []string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, " 2 #ops") && strings.Contains(line[:19], "1") })
	})
	carol.Wait("shift change at 16:00")
	carol.WaitGone("first time at") // and the line below says where she is
	carol.Type("thank you both")
	carol.Wait("thank you both", "puts the kettle on", titleText)
	if path == "" {
		return
	}
	if err := os.WriteFile(path, carol.Grid().SVG("chatnode -connect plant:8080 -name carol"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// KeyToScreen measures how long it takes from a key until its character stands on a real terminal, in a room where 500 messages a second come if busy.
func KeyToScreen(b *testing.B, home Home, busy bool) {
	w := settle(b, home)
	carol := w.sits("carol", Desk{Width: 120, Height: 40})
	if busy {
		stop := w.chatters()
		defer stop()
		carol.Wait("chatter")
	}
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		text := strings.Repeat("x", i%40+1)
		begun := time.Now()
		carol.Type("x")
		carol.WaitFor(text, func(lines []string) bool { return strings.HasSuffix(lines[len(lines)-1], promptText+text) })
		took = append(took, time.Since(begun))
		if i%40 == 39 {
			carol.Press("ctrl+u")
			carol.WaitFor("an empty line", func(lines []string) bool { return !strings.HasSuffix(lines[len(lines)-1], "x") })
		}
	}
	percentiles(b, took)
}

// chatters has somebody say 500 things a second in the lobby, until the function that is returned is called.
func (w *town) chatters() (stop func()) {
	cmd := w.command(w.TempDir(), "-connect", w.address, "-name", "chatter", "-room", "lobby")
	in, err := cmd.StdinPipe()
	w.check(err)
	w.check(cmd.Start())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends when it is told to
		defer close(ended)
		for ticker := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				for i := range 10 {
					fmt.Fprintf(in, "chatter %d %s\n", i, strings.Repeat(".", 90))
				}
			case <-end:
				ticker.Stop()
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		in.Close()
		_ = cmd.Wait()
	}
}

// FirstScreen measures how long it takes from the start of the program until a room, with what was said in it, stands on the screen.
func FirstScreen(b *testing.B, home Home) {
	w := settle(b, home)
	w.says("bob", "lobby", numbered(50)...)
	took := make([]time.Duration, 0, b.N)
	dir := b.TempDir()
	for b.Loop() {
		begun := time.Now()
		carol := Start(b, Desk{Width: 120, Height: 40, Home: dir, Env: home.Env}, "-connect", w.address, "-name", "carol")
		carol.Wait("line 0050")
		took = append(took, time.Since(begun))
		carol.Kill()
		carol.End()
	}
	percentiles(b, took)
}

func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
