package tui

import (
	"bytes"
	"sync"

	"chatnode/internal/chat"
)

// maxLogged is how many lines a Log keeps; the oldest are dropped. maxLogLine is how long one may be, in bytes; what is more of it is cut off.
const (
	maxLogged  = 1000
	maxLogLine = 4096
)

// Log takes the lines of a log that can't go to the terminal, as the screen is there, and keeps the last 1,000 of them until they are shown. It may be
// written to by any goroutine, and before Run.
type Log struct {
	mu    sync.Mutex // guards what follows; not held while grown runs
	lines []string
	part  []byte // of a line whose end has not come
	grown func()
	told  bool // grown is being called, or was since the last take
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{} }

// logged says that there are lines in the log.
type logged struct{}

// Write takes some of a log, which need not end with a line. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	for rest := p; ; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		l.part = append(l.part, line[:min(len(line), max(0, maxLogLine-len(l.part)))]...)
		if !ended {
			break
		}
		l.lines = append(l.lines, chat.OneLine(string(l.part)))
		l.part, rest = l.part[:0], after
	}
	l.lines = l.lines[max(0, len(l.lines)-maxLogged):]
	l.tell()
	l.mu.Unlock()
	return len(p), nil
}

// tell has grown called, unless that is done already: one call stands for all lines until they are taken. mu is held.
func (l *Log) tell() {
	if l.grown != nil && !l.told && len(l.lines) > 0 {
		l.told = true
		go l.grown() // whoever writes to a log waits for no screen; ends with the program, if not before
	}
}

// follow has grown called whenever there are lines; nil ends that.
func (l *Log) follow(grown func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grown, l.told = grown, false
	l.tell()
}

// take returns the lines that were not taken yet.
func (l *Log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines, l.told = nil, false
	return lines
}
