package oracle

import (
	"errors"
	"fmt"
)

// Rules that Check knows. The package comment says what each asks.
const (
	Misuse      = "misuse" // the test itself is wrong: a text twice, an answer to what was never sent
	Kept        = "C1 kept"
	NeverKept   = "C1 refused for good"
	Once        = "C2 once"
	Contiguous  = "C3 contiguous"
	AuthorOrder = "C4 author order"
	RealTime    = "C5 real time"
	Durable     = "C6 durable"
	OneText     = "C7 one text"
	Converges   = "C8 converges"
	Bounded     = "C9 bounded"
	Visible     = "C10 visible"
)

// maxViolations is how many violations of each rule Check tells at most, so that none hides another.
const maxViolations = 10

// Violation is one way in which a history can't be true.
type Violation struct {
	Rule   string // one of the rules above
	Client string // empty where the log alone is wrong
	Room   string // empty where it is not about one
	Seq    uint64 // 0 where there is none
	What   string
}

func (v *Violation) Error() string {
	where := v.Room
	if v.Seq != 0 {
		where += fmt.Sprintf(" row %d", v.Seq)
	}
	if v.Client != "" && where != "" {
		where = v.Client + ", " + where
	} else if v.Client != "" {
		where = v.Client
	}
	if where == "" {
		return fmt.Sprintf("%s: %s", v.Rule, v.What)
	}
	return fmt.Sprintf("%s: %s: %s", v.Rule, where, v.What)
}

// report collects violations.
type report struct {
	found  []error
	counts map[string]int // by rule
	more   int            // those that are not in found
}

func (r *report) violation(rule string, client *Client, room string, seq uint64, what string, args ...any) {
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	if r.counts[rule]++; r.counts[rule] > maxViolations {
		r.more++
		return
	}
	v := &Violation{Rule: rule, Room: room, Seq: seq, What: fmt.Sprintf(what, args...)}
	if client != nil {
		v.Client = client.name
	}
	r.found = append(r.found, v)
}

// err returns what was found, nil when that is nothing.
func (r *report) err() error {
	if r.more > 0 {
		r.found = append(r.found, fmt.Errorf("and %d more", r.more))
	}
	return errors.Join(r.found...)
}

// brief quotes a text, or the beginning of a long one.
func brief(text string) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

func (r Row) String() string {
	s := brief(r.Text)
	if !r.ID.IsZero() {
		s += " id " + r.ID.String()
	}
	if r.Author != "" {
		s += " of " + r.Author
	}
	if r.CSeq != 0 {
		s += fmt.Sprintf(" publish %d", r.CSeq)
	}
	return s
}
