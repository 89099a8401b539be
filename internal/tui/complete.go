package tui

// source is what completion asks for people and rooms.
type source interface {
	People() []string
	Rooms() []string
}

// popupLine is one candidate as it stands in the popup.
type popupLine struct {
	text     string
	help     string
	selected bool
}

// suggest opens, updates or closes the popup after a key.
func (in *input) suggest(s source) {}

// complete is Tab, or Shift-Tab.
func (in *input) complete(s source, back bool) {}

// popup returns the popup's lines, nil when it is closed.
func (in *input) popup(width, max int) []popupLine { return nil }
