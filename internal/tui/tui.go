// Package tui is chatnode on a whole terminal: rooms, messages, people and an input, drawn by Bubble Tea. It is not a client: order, retries and
// resuming are the client's, and what commands mean is package command's.
package tui

import (
	_ "charm.land/bubbles/v2/textarea"
	_ "charm.land/bubbletea/v2"
	_ "charm.land/lipgloss/v2"
)
