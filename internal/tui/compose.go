package tui

import tea "charm.land/bubbletea/v2"

// composed is what came of an editor: a text for a place, or why there is none.
type composed struct {
	place string
	text  string
	err   error
}

// compose hands the draft to the user's editor.
func (in *input) compose() tea.Cmd { return nil }

// composed takes what an editor left. It returns an error to show; then the draft is as it was.
func (in *input) composed(msg composed) error { return msg.err }
