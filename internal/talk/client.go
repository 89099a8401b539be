// Package talk is what every front end shares: what it uses of a client, the answers to the questions that commands ask, the sentences in which
// events are told, the errors that a run ends with, and the drawing of an invitation. It prints nothing, reads no keyboard, starts no goroutine and
// keeps no state of its own.
package talk

import (
	"context"
	"time"

	"chatnode/internal/client"
	"chatnode/internal/identity"
)

// Client is what front ends use of a *client.Client.
type Client interface {
	Run(ctx context.Context) error
	Events() <-chan client.Event
	Send(ctx context.Context, d client.Draft) (n uint64, err error)
	Pending() int
	Name() string
	Shown(e client.Event)
	Read(room string, seq uint64)
	Join(room string) error
	Part(room string) error
	Nick(name string) error
	Quit(ctx context.Context) error
	Close()
	Room(name string) (client.RoomState, bool)
	Names(ctx context.Context, room string) (people []client.Person, total int, err error)
	Whois(ctx context.Context, who string) (client.Info, error)
	List(ctx context.Context) ([]client.RoomInfo, error)
	History(ctx context.Context, room string, q client.HistoryQuery) (list []client.Message, more bool, err error)
	Search(ctx context.Context, q client.SearchQuery) (client.Found, error)
	Keep(ctx context.Context, room string) (client.Keep, error)
	SetKeep(ctx context.Context, room string, k client.Keep) (client.Keep, error)
	Away(ctx context.Context, text string, away bool) error
	Invite(ctx context.Context, room string, uses int, lasts time.Duration) (client.Invitation, error)
	InviteNode(ctx context.Context, lasts time.Duration) (client.Invitation, error)
	Peers(ctx context.Context) (client.Peers, error)
	NodeStats(ctx context.Context) (client.NodeStats, error)
	Admit(ctx context.Context, node string, mode client.PeerMode) (client.Peer, error)
	Causal(ctx context.Context, room string, q client.CausalQuery) (client.CausalPage, error)
	Release(ctx context.Context, name string) (client.Person, error)
	Banned(ctx context.Context, room string) ([]client.Ban, error)
	Ignore(who client.Person, on bool) error
	Ignored() []client.Person
	Authors(ctx context.Context, from []uint64) map[uint64]identity.ID
	Author(ctx context.Context, from uint64) (identity.ID, error)
}

var _ Client = (*client.Client)(nil)
