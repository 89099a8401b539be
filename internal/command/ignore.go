package command

import (
	"context"
	"fmt"
	"time"

	"chatnode/internal/chat"
)

// runIgnore has somebody be ignored or not any more, or tells who is.
func runIgnore(ctx context.Context, call Call, env Env, name string) error {
	if name == "" {
		return show(env)(env.Ignored(ctx))
	}
	return show(env)(env.Ignore(ctx, env.Room(), name, call.Name == ignore))
}

// IgnoreAnswer is somebody whom the user ignores from now on, or not any more.
type IgnoreAnswer struct {
	Who Who
	On  bool
}

// IgnoredAnswer is whom the user ignores.
type IgnoredAnswer struct {
	People []Who // by the names that they had when that began
}

// Lines returns what that means, as a sentence.
func (a IgnoreAnswer) Lines(*time.Location) []string {
	name := chat.Shown(a.Who.Name)
	if !a.On {
		return []string{fmt.Sprintf("you don't ignore %s any more", name)}
	}
	return []string{
		fmt.Sprintf("you ignore %s: what they say is kept, and not shown to you; /unignore %s ends that", name, name),
		"  by any name: the key " + a.Who.ID,
	}
}

// Lines returns one line a person.
func (a IgnoredAnswer) Lines(*time.Location) []string {
	if len(a.People) == 0 {
		return []string{"you ignore nobody"}
	}
	lines := []string{fmt.Sprintf("you ignore %s:", count(len(a.People), "person", "people"))}
	for _, p := range a.People {
		lines = append(lines, fmt.Sprintf("  %s, the key %s", chat.Shown(p.Name), p.ID))
	}
	return lines
}

// LeftOut tells that n messages are not shown, as the user ignores who wrote them.
func LeftOut(n int) string {
	return count(n, "message", "messages") + " of somebody whom you ignore"
}
