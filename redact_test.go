package main

import (
	"context"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/faults"
	"chatnode/internal/store"
	"chatnode/internal/talk"
)

// TestRedactionInAConversationIsSound: check finds a store in order in which one of two has taken their own text away, whatever the conversation is called to them.
func TestRedactionInAConversationIsSound(t *testing.T) {
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
	join := func(name string) *client.Client {
		c := tw.client(name, faults.Never, faults.Never, new(traffic))
		group.Go(func() { _ = c.Run(ctx) })
		await[client.Opened](t, c)
		return c
	}
	alice, carol := join("alice"), join("carol")
	defer alice.Close()
	defer carol.Close()
	if _, err := alice.Send(ctx, client.Draft{Room: "@carol", Kind: chat.Text, Text: "secret"}); err != nil {
		t.Fatal(err)
	}
	said := await[client.Ack](t, alice)
	if _, err := alice.Send(ctx, talk.RedactDraft("@carol", said.Seq, said.ID)); err != nil {
		t.Fatal(err)
	}
	await[client.Ack](t, alice)
	checkArchive(t, dir, 2)
}
