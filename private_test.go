package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/faults"
	"chatnode/internal/store"
)

// TestPrivateRoomOverLinks: a room is made private, somebody comes too late, is invited, reads from there on, and is put out; what the node keeps of that
// is sound.
func TestPrivateRoomOverLinks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	tw, end := newTownOf(t, false, kept)
	defer end()
	var group sync.WaitGroup
	defer group.Wait()
	alice, carol := tw.client("alice", faults.Never, faults.Never, new(traffic)), tw.client("carol", faults.Never, faults.Never, new(traffic))
	defer alice.Close()
	defer carol.Close()
	say := func(kind chat.Kind, text string) {
		t.Helper()
		if _, err := alice.Send(ctx, client.Draft{Room: "lobby", Kind: kind, Text: text}); err != nil {
			t.Fatal(err)
		}
		await[client.Ack](t, alice)
	}
	group.Go(func() { _ = alice.Run(ctx) })
	await[client.Opened](t, alice)
	say(chat.Text, "secret one")
	say(chat.Act, "private")
	say(chat.Text, "secret two")
	group.Go(func() { _ = carol.Run(ctx) })
	if denied := await[client.Denied](t, carol); denied.Room != "lobby" || denied.Code != chat.NotMember {
		t.Errorf("carol comes too late and gets %+v", denied)
	}
	var refused *client.RefusedError
	if _, _, err := carol.History(ctx, "lobby", client.HistoryQuery{N: 10}); !errors.As(err, &refused) || refused.Code != chat.NotMember {
		t.Errorf("carol asks for the history: %v", err)
	}
	if rooms, err := carol.List(ctx); err != nil || len(rooms) != 0 {
		t.Errorf("carol sees %+v, %v", rooms, err)
	}
	info, err := alice.Whois(ctx, "carol")
	if err != nil {
		t.Fatal(err)
	}
	say(chat.Act, "invite "+info.ID.String())
	if notice, want := await[client.Notice](t, carol), "alice invites you to #lobby, a room for its members: /join lobby"; notice.Text != want {
		t.Errorf("carol is told %q, want %q", notice.Text, want)
	}
	if err := carol.Join("lobby"); err != nil {
		t.Fatal(err)
	}
	if opened := await[client.Opened](t, carol); opened.From != 4 || !opened.Rules.Private {
		t.Errorf("carol comes in at %+v", opened)
	}
	say(chat.Text, "secret three")
	list, more, err := carol.History(ctx, "lobby", client.HistoryQuery{N: 10})
	var texts []string
	for _, m := range list {
		texts = append(texts, m.Text)
	}
	if want := []string{"invite " + info.ID.String(), "secret three"}; !slices.Equal(texts, want) || more || err != nil {
		t.Errorf("carol reads %q, more %v, %v; want %q", texts, more, err, want)
	}
	say(chat.Act, "kick "+info.ID.String())
	if closed := await[client.ClosedRoom](t, carol); closed.Code != chat.Kicked {
		t.Errorf("the room is closed for %v", closed.Code)
	}
	if err := carol.Join("lobby"); err != nil {
		t.Fatal(err)
	}
	if denied := await[client.Denied](t, carol); denied.Code != chat.NotMember {
		t.Errorf("carol comes back and gets %+v", denied)
	}
	archive, err := store.OpenArchive(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if tally, err := archive.Check(ctx, func(store.Step) {}); err != nil || tally.Messages != 6 {
		t.Errorf("check: %+v, %v", tally, err)
	}
}
