package command

// Asks reports whether Run waits for what the node answers to the call, and does nothing else but, for acts, what Env.Act does: a front end need not hold
// up what is typed meanwhile.
func (c Call) Asks() bool {
	switch c.Name {
	case names, whois, list, history, search, keep, peers, invite, release, mentions, away, back, ignore, unignore:
		return true
	case op, deop, kick, ban, unban, banned, mute, unmute, pins:
		return true
	case pin, unpin, redact:
		return len(c.Args) > 0
	case topic:
		return len(c.Args) == 0
	}
	return false
}
