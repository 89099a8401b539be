package tui

import "charm.land/lipgloss/v2"

// theme is how everything looks. Without colours, bold, underlined and reversed text and marks in the text carry all that colours tell.
type theme struct {
	dark, colours bool

	status, statusLost             lipgloss.Style // the status line; and while there is no link
	prompt                         lipgloss.Style
	popup, popupPicked             lipgloss.Style // what is offered above the input; and what Enter would take
	roomCurrent, room              lipgloss.Style // the list of rooms
	roomUnread, roomMention        lipgloss.Style
	person, personAway             lipgloss.Style // the list of people; names have nameStyle besides
	note, mark, day, time, refused lipgloss.Style // lines of a room's log
}

// newTheme returns the theme for a dark or a light background, with colours or without.
func newTheme(dark, colours bool) *theme { return &theme{dark: dark, colours: colours} }

// nameStyle returns the style of a person's name: the same name has the same colour everywhere.
func (t *theme) nameStyle(name string) lipgloss.Style { return lipgloss.NewStyle() }
