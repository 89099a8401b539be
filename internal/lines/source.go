package lines

import (
	"fmt"
	"strconv"
	"strings"
)

// source is where something that was asked for stood in the input.
type source struct {
	Ref  string `json:"ref,omitempty"`  // the asker's own mark
	N    int    `json:"n,omitempty"`    // of a send: which it is, from 1
	Line int    `json:"line,omitempty"` // of the input, from 1; 0 for an input that is taken whole
}

// mark returns the source as a client's Draft.Ref carries it and gives it back: nothing need be remembered here.
func (s source) mark() string { return fmt.Sprintf("%d %d %s", s.Line, s.N, s.Ref) }

// parseSource reads what mark wrote.
func parseSource(mark string) source {
	var s source
	parts := strings.SplitN(mark, " ", 3)
	if len(parts) != 3 {
		return s
	}
	s.Line, _ = strconv.Atoi(parts[0])
	s.N, _ = strconv.Atoi(parts[1])
	s.Ref = parts[2]
	return s
}
