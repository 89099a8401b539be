package store

import (
	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// event returns what a row's record says. The error wraps wire.ErrMalformed.
func event(record []byte) (*wire.Event, error) {
	if len(record) < wire.HeaderLen {
		return nil, wire.ErrMalformed
	}
	r, err := wire.Decode(record[wire.HeaderLen:])
	if err != nil {
		return nil, err
	}
	e, ok := r.(*wire.Event)
	if !ok {
		return nil, wire.ErrMalformed
	}
	return e, nil
}

// isForked reports whether a row is marked as one of a log that forks.
func isForked(record []byte) bool {
	e, err := event(record)
	return err == nil && e.Opts.Forked
}

// matcher tells which records a Query asks for.
type matcher struct {
	terms [][]string
	name  string // folded
}

func newMatcher(q *Query) *matcher {
	return &matcher{terms: chat.QueryTerms(q.Words), name: chat.Fold(q.Name)}
}

// row reports whether a record is one that is asked for. Nothing is found without a term to look for, or in what can't be read.
func (m *matcher) row(record []byte) bool {
	if len(m.terms) == 0 && m.name == "" {
		return false
	}
	e, err := event(record)
	if err != nil || e.Opts.Forked || m.name != "" && chat.Fold(e.Name) != m.name {
		return false
	}
	return chat.MatchWords(words(e), m.terms)
}

// words returns the words by which a message is found. A sealed one has none: what a node keeps of it is not what it says.
func words(e *wire.Event) []string {
	if e.Kind == chat.Sealed {
		return nil
	}
	return chat.Words(string(e.Body))
}
