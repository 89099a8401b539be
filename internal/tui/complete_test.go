package tui

// crowd is a source of people and rooms.
type crowd struct{ people, rooms []string }

func (c crowd) People() []string { return c.people }
func (c crowd) Rooms() []string  { return c.rooms }
