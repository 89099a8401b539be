package talk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
)

// Errors that a front end's Run returns, as an *EndError with a sentence for the user. An *identity.ChangedError says that the node is another one.
// Whatever else it returns is a runtime error.
var (
	ErrUsage       = errors.New("usage")                   // exit 2: what was asked for contradicts itself; nothing was started
	ErrUnreachable = errors.New("no node within the time") // exit 4: no welcome, or the link was lost, for too long, and nothing sent is in doubt
	ErrRefused     = errors.New("refused by the node")     // exit 5: the node does not want this client
	ErrNotKept     = errors.New("not known to be kept")    // exit 7: a message or command was refused, or was sent and not answered
)

// EndError is why a Run ends: one of the errors above, or what went wrong, with its sentence.
type EndError struct {
	Kind error
	Text string // fit for one line
}

// Error returns the sentence alone.
func (e *EndError) Error() string { return e.Text }

// Unwrap returns e.Kind.
func (e *EndError) Unwrap() error { return e.Kind }

// Fault is why something can't be done.
type Fault struct {
	Code  string        // its name in JSON
	Text  string        // the same as a sentence for a person, fit for one line
	Retry time.Duration // when trying again may help; 0: never
}

// FaultOf returns what an error means for whoever caused it.
func FaultOf(err error) Fault {
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		text := refused.Code.Sentence()
		if refused.Text != "" {
			text = fmt.Sprintf("%s (%s)", text, refused.Text)
		}
		return Fault{refused.Code.String(), chat.OneLine(Again(text, refused.RetryAfter)), refused.RetryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return Fault{Code: chat.Timeout.String(), Text: "the node did not answer in time"}
	case errors.Is(err, client.ErrFull):
		return Fault{Code: "busy", Text: chat.OneLine(err.Error())}
	case errors.Is(err, client.ErrClosed), errors.Is(err, context.Canceled):
		return Fault{Code: "closed", Text: "chatnode was ending before this was done"}
	}
	// What has several lines elsewhere, as a changed node has, is one here.
	return Fault{Code: endCode(err), Text: chat.OneLine(strings.Join(strings.Fields(err.Error()), " "))}
}

// endCode returns the name in JSON of an error that is not the node's.
func endCode(err error) string {
	switch {
	case errors.As(err, new(*identity.ChangedError)):
		return "changed"
	case errors.Is(err, ErrUnreachable):
		return "unreachable"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrNotKept):
		return "not_kept"
	}
	return chat.Internal.String()
}
