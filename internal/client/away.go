package client

import (
	"context"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// Away has others see that the user is away, in all clients of the key, with a text for who asks about them, or that they are back. A node forgets it
// with the key's last session: what it has once taken is said again on each link, until the user is back. What is sent meanwhile does not end it.
// The text keeps the rules of a topic. Errors are as those of Names; chat.TooFast is for who went away too often, and never for who comes
// back.
func (c *Client) Away(ctx context.Context, text string, away bool) error {
	if !away {
		text = ""
	}
	if code := chat.CheckText(chat.Topic, text); code != chat.OK {
		return &RefusedError{Code: code}
	}
	_, err := c.ask(ctx, &wire.Away{Away: away, Text: text})
	return err
}
