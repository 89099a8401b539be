package talk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/screen"

	"github.com/google/go-cmp/cmp"
)

func TestFaultOf(t *testing.T) {
	changed := &identity.ChangedError{Address: "plant:8080", Was: identity.ID{1}, Is: identity.ID{2}}
	for name, c := range map[string]struct {
		err  error
		want Fault
	}{
		"refused":     {&client.RefusedError{Code: chat.Denied}, Fault{"denied", "that is not allowed", 0}},
		"and why":     {&client.RefusedError{Code: chat.NoSuchRoom, Text: "ops"}, Fault{"no_such_room", "there is no such room (ops)", 0}},
		"for a while": {fmt.Errorf("ask: %w", &client.RefusedError{Code: chat.TooFast, RetryAfter: 39500 * time.Millisecond}), Fault{"too_fast", "too much at once; try again in 40 s", 39500 * time.Millisecond}},
		"hostile":     {&client.RefusedError{Code: chat.Denied, Text: "a\n-- b\x1b[2J"}, Fault{"denied", "that is not allowed (a\\n-- b\ufffd[2J)", 0}},
		"too late":    {fmt.Errorf("ask: %w", context.DeadlineExceeded), Fault{"timeout", "the node did not answer in time", 0}},
		"full":        {client.ErrFull, Fault{"busy", "too many commands wait for the node", 0}},
		"closed":      {client.ErrClosed, Fault{"closed", "chatnode was ending before this was done", 0}},
		"interrupted": {context.Canceled, Fault{"closed", "chatnode was ending before this was done", 0}},
		"not kept":    {&EndError{ErrNotKept, "1 message was refused"}, Fault{"not_kept", "1 message was refused", 0}},
		"unreachable": {&EndError{ErrUnreachable, "no node"}, Fault{"unreachable", "no node", 0}},
		"not wanted":  {&EndError{ErrRefused, "no"}, Fault{"refused", "no", 0}},
		"any other":   {errors.New("two\nlines \x1b"), Fault{"internal", "two lines \ufffd", 0}},
	} {
		if diff := cmp.Diff(c.want, FaultOf(c.err)); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
		}
	}
	if got := FaultOf(changed); got.Code != "changed" || got.Text != chat.OneLine(got.Text) {
		t.Errorf("of a changed node it says %+v", got)
	}
}

// TestAttacksOnFaults: whatever a node says besides, its refusal is one line that drives nothing.
func TestAttacksOnFaults(t *testing.T) {
	for _, a := range screen.Attacks {
		for _, err := range []error{&client.RefusedError{Code: chat.Denied, Text: a.Text}, errors.New(a.Text), &EndError{ErrRefused, a.Text}} {
			if lines, found := screen.Read(FaultOf(err).Text + "\n"); len(found) > 0 || len(lines) != 1 {
				t.Errorf("%s: %d lines, and a terminal found %q", a.Name, len(lines), found)
			}
		}
	}
}

func TestEndError(t *testing.T) {
	err := fmt.Errorf("chatnode: %w", &EndError{ErrNotKept, "1 message was refused"})
	if !errors.Is(err, ErrNotKept) || errors.Is(err, ErrRefused) || err.Error() != "chatnode: 1 message was refused" {
		t.Errorf("%v", err)
	}
}
