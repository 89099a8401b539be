// Package story runs scripts of the command line with real processes. Only tests import it.
//
// Beside the commands of testscript, a script has these:
//
//	up NAME ARGS...     start chatnode; a node's address is then in $NAME
//	type NAME TEXT      give it a line of input
//	see NAME REGEXP     wait until it has printed a line that matches and that no earlier see has matched, in whatever order; what a group
//	                    (?P<x>…) of it matches is then in $x
//	! see NAME REGEXP   of one that has ended: it has printed no such line
//	end NAME CODE       end its input and wait for its exit code
//	signal NAME SIGNAL  send it INT, TERM or KILL
//	gone NAME CODE      wait for its exit code; -1 is a death by a signal
package story

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Homes are the variables that say where a program's files belong. Each script has folders of its own.
var Homes = []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}

// Params returns what testscript needs to run the scripts in dir. The program "chatnode" must be among testscript's own; a command that waits
// gives up after patience.
func Params(dir string, patience time.Duration) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Values["processes"] = map[string]*process{}
			env.Values["patience"] = patience
			env.Setenv("HOME", env.WorkDir)
			for _, variable := range Homes {
				env.Setenv(variable, filepath.Join(env.WorkDir, variable))
			}
			env.Setenv("USER", "carol")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each process waits a second at its end, under the race detector
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": up, "type": typeLine, "see": see, "end": end, "signal": signal, "gone": gone,
		},
	}
}

// process is a chatnode that a story runs.
type process struct {
	// Static after construction.
	cmd      *exec.Cmd
	in       io.WriteCloser
	patience time.Duration
	lines    chan string   // what it prints on both outputs, more than any story makes it print; closed when it has ended
	exit     chan struct{} // closed when it has been waited for

	// Owned by the script.
	unseen []string // lines that no see has matched
}

func named(ts *testscript.TestScript, args []string, want int) *process {
	if len(args) < want {
		ts.Fatalf("%d arguments are needed, not %q", want, args)
	}
	p := ts.Value("processes").(map[string]*process)[args[0]]
	if p == nil {
		ts.Fatalf("there is no process %q", args[0])
	}
	return p
}

func up(ts *testscript.TestScript, _ bool, args []string) {
	binary := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, "chatnode"); binary == "" {
			if _, err := os.Stat(path); err == nil {
				binary = path
			}
		}
	}
	name, args := args[0], args[1:]
	cmd := exec.Command(binary, args...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "USER="+ts.Getenv("USER"))
	for _, variable := range Homes {
		cmd.Env = append(cmd.Env, variable+"="+ts.Getenv(variable))
	}
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, stdout := io.Pipe()
	cmd.Stdout, cmd.Stderr = stdout, stdout
	p := &process{cmd: cmd, in: in, patience: ts.Value("patience").(time.Duration), lines: make(chan string, 1<<16), exit: make(chan struct{})}
	ts.Check(cmd.Start())
	go func() { // ends with the process
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
		close(p.lines)
	}()
	go func() { // ends with the process
		_ = cmd.Wait() // its exit code is in cmd.ProcessState
		stdout.Close()
		close(p.exit)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Kill() // if it has not ended by itself
		<-p.exit
	})
	ts.Value("processes").(map[string]*process)[name] = p
	if slices.Contains(args, "-listen") {
		var listening struct{ Addr string }
		ts.Check(json.Unmarshal([]byte(p.see(ts, `"listening"`)), &listening))
		ts.Setenv(name, listening.Addr)
	}
}

// see waits for a line that matches and takes it.
func (p *process) see(ts *testscript.TestScript, pattern string) string {
	match, err := regexp.Compile(pattern)
	ts.Check(err)
	timeout := time.After(p.patience)
	for next := 0; ; next++ {
		for next == len(p.unseen) {
			select {
			case line, more := <-p.lines:
				if !more {
					ts.Fatalf("it ended without a line that matches %q; what it printed besides:\n%s", pattern, strings.Join(p.unseen, "\n"))
				}
				p.unseen = append(p.unseen, line)
			case <-timeout:
				ts.Fatalf("no line matches %q; what it printed besides:\n%s", pattern, strings.Join(p.unseen, "\n"))
			}
		}
		if line := p.unseen[next]; match.MatchString(line) {
			p.unseen = slices.Delete(p.unseen, next, next+1)
			return line
		}
	}
}

// gone waits for its end.
func (p *process) gone(ts *testscript.TestScript, code string) {
	select {
	case <-p.exit:
	case <-time.After(p.patience):
		ts.Fatalf("it does not end")
	}
	if got := strconv.Itoa(p.cmd.ProcessState.ExitCode()); got != code {
		for line := range p.lines {
			p.unseen = append(p.unseen, line)
		}
		ts.Fatalf("exit code %s, want %s; what it printed besides:\n%s", got, code, strings.Join(p.unseen, "\n"))
	}
}

func typeLine(ts *testscript.TestScript, _ bool, args []string) {
	_, err := io.WriteString(named(ts, args, 2).in, args[1]+"\n")
	ts.Check(err)
}

func see(ts *testscript.TestScript, not bool, args []string) {
	p := named(ts, args, 2)
	match, err := regexp.Compile(args[1])
	ts.Check(err)
	if not {
		p.neverSaw(ts, match)
		return
	}
	groups := match.FindStringSubmatch(p.see(ts, args[1]))
	for i, name := range match.SubexpNames() {
		if name != "" {
			ts.Setenv(name, groups[i])
		}
	}
}

// neverSaw waits for its end.
func (p *process) neverSaw(ts *testscript.TestScript, match *regexp.Regexp) {
	<-p.exit // its lines end too
	for line := range p.lines {
		p.unseen = append(p.unseen, line)
	}
	if i := slices.IndexFunc(p.unseen, match.MatchString); i >= 0 {
		ts.Fatalf("it has printed a line that matches %q: %s", match, p.unseen[i])
	}
}

func end(ts *testscript.TestScript, _ bool, args []string) {
	p := named(ts, args, 2)
	ts.Check(p.in.Close())
	p.gone(ts, args[1])
}

func signal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	ts.Check(named(ts, args, 2).cmd.Process.Signal(signals[args[1]]))
}

func gone(ts *testscript.TestScript, _ bool, args []string) {
	named(ts, args, 2).gone(ts, args[1])
}
