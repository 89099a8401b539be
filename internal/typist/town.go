package typist

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"chatnode/internal/faults"
)

// Home is what a test hands to a story.
type Home struct {
	Env []string // the variables with which the test's own binary is chatnode
}

// room is where all talk.
const room = "lobby"

// town is a node with those who talk on it.
type town struct {
	testing.TB
	home    Home
	address string
}

// settle starts a node. It is ended with the test.
func settle(t testing.TB, home Home) *town {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no pseudo-terminal")
	}
	w := &town{TB: t, home: home}
	dir := t.TempDir()
	node := w.command(dir, "-listen", "127.0.0.1:0", "-json", "-data", filepath.Join(dir, "node"), "-rate", "0", "-room-rate", "0", "-keep-free", "0", "-title", titleText)
	out, err := node.StdoutPipe()
	w.check(err)
	var said bytes.Buffer
	node.Stderr = &said
	w.check(node.Start())
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() { // ends with the node
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var o struct{ Type, Addr string }
			if json.Unmarshal(lines.Bytes(), &o) == nil && o.Type == "listening" {
				listening <- o.Addr
			}
		}
		ended <- node.Wait()
	}()
	t.Cleanup(func() {
		_ = node.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("the node ended with %v; it said: %s", err, said.String())
		}
	})
	select {
	case w.address = <-listening:
	case err := <-ended:
		ended <- err
		t.Fatalf("the node ended with %v before it listened; it said: %s", err, said.String())
	case <-time.After(patience()):
		t.Fatal("the node does not listen")
	}
	return w
}

func (w *town) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// command is chatnode with files of its own in dir.
func (w *town) command(dir string, args ...string) *exec.Cmd {
	w.Helper()
	binary, err := os.Executable()
	w.check(err)
	cmd := exec.Command(binary, args...)
	cmd.Env = append(environment(Desk{Home: dir}), w.home.Env...)
	return cmd
}

// says has somebody come, say these texts in a room or, as @NAME, to somebody, and go when all is kept.
func (w *town) says(name, room string, texts ...string) {
	w.Helper()
	cmd := w.command(w.TempDir(), "-connect", w.address, "-name", name, "-json")
	var in, out bytes.Buffer
	for _, text := range texts {
		w.check(json.NewEncoder(&in).Encode(map[string]string{"type": "send", "room": room, "text": text}))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &out
	if err := cmd.Run(); err != nil {
		w.Fatalf("%s can't say it: %v\n%s", name, err, out.String())
	}
}

// log returns the texts of the last messages of the room, oldest first, as somebody reads them who has just come.
func (w *town) log() []string {
	w.Helper()
	return w.answered("/history 100")
}

// indexed waits until a word can be found: the node's index lags behind.
func (w *town) indexed(word string) {
	w.Helper()
	for until := time.Now().Add(patience()); len(w.answered("/search "+word)) == 0; {
		if time.Now().After(until) {
			w.Fatalf("%q can't be found", word)
		}
	}
}

// answered returns the texts of the messages with which a command is answered.
func (w *town) answered(command string) (texts []string) {
	w.Helper()
	line, err := json.Marshal(map[string]string{"type": "command", "line": command})
	w.check(err)
	cmd := w.command(w.TempDir(), "-connect", w.address, "-name", "reader", "-json")
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%s is not answered: %v\n%s", command, err, out)
	}
	for line := range bytes.Lines(out) {
		var o struct{ Messages []struct{ Text string } }
		if json.Unmarshal(line, &o) == nil {
			for _, m := range o.Messages {
				texts = append(texts, m.Text)
			}
		}
	}
	return texts
}

// numbered returns "line 0001" and so on.
func numbered(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %04d", i+1)
	}
	return lines
}

// sits has somebody sit down at a terminal, and waits until the node has let them in: the window's title says which one it is.
func (w *town) sits(name string, desk Desk, args ...string) *Typist {
	w.Helper()
	desk.Env = append(slices.Clone(w.home.Env), desk.Env...)
	y := Start(w.TB, desk, append([]string{"-connect", w.address, "-name", name}, args...)...)
	prompt := strings.TrimSpace(name + promptText)
	y.WaitFor("node and prompt", func(lines []string) bool {
		return strings.Contains(y.grid.Title(), titleText) && times(lines, prompt) > 0
	})
	return y
}

// behind has those who come dial the node through a proxy that can be cut.
func (w *town) behind() *faults.Proxy {
	w.Helper()
	proxy, err := faults.NewProxy(w.address)
	w.check(err)
	w.Cleanup(proxy.Close)
	w.address = proxy.Addr()
	return proxy
}

// times returns how many lines of the screen have a text.
func times(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// inOrder reports whether these texts stand on the screen, each below the one before.
func inOrder(lines []string, texts ...string) bool {
	for _, line := range lines {
		if len(texts) > 0 && strings.Contains(line, texts[0]) {
			texts = texts[1:]
		}
	}
	return len(texts) == 0
}
