package tui

import tea "charm.land/bubbletea/v2"

// stop says that there is no such thing here.
func (m *model) stop() tea.Cmd {
	m.say("Windows can't stop a program and have it go on")
	return nil
}
