package lines

import (
	"strings"
	"unicode/utf8"

	"chatnode/internal/command"
	"chatnode/internal/talk"
)

// invitation prints an invitation for somebody who copies its link, or shows it to a camera.
func (h *human) invitation(a command.InviteAnswer) {
	lines := a.Lines(h.zone)
	for _, line := range lines[:len(lines)-1] {
		h.print("-- " + line)
	}
	h.print(a.Link)
	if h.screen == nil {
		return
	}
	if wide, high := h.screen(); wide > 0 && high > 0 {
		h.out.print(draw(a.Link, wide, high))
	}
}

// draw returns text as a QR code of at most so many columns and lines, or nothing when it would be larger.
func draw(text string, wide, high int) []byte {
	code := talk.QR(text)
	if len(code) == 0 || len(code) > high || utf8.RuneCountInString(code[0]) > wide {
		return nil
	}
	var b strings.Builder
	for _, line := range code {
		b.WriteString("\x1b[30;47m" + line + "\x1b[0m\n")
	}
	return []byte(b.String())
}

// Draws reports whether a terminal with this environment can show blocks in colour: one that speaks UTF-8, as its locale says (POSIX: LC_ALL goes before
// LC_CTYPE before LANG), and is not dumb.
func Draws(variable func(string) string) bool {
	if term := variable("TERM"); term == "" || term == "dumb" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(variable(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}
