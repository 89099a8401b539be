package tui

// remember keeps what was sent, for ↑ and Ctrl-R.
func (in *input) remember(text string) {}

// searching returns the prompt to draw in place of the usual one while Ctrl-R searches.
func (in *input) searching() (prompt string, on bool) { return "", false }
