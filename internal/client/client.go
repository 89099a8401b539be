package client

import (
	"context"

	"chatnode/internal/identity"
)

// Client is one user's side of one node.
type Client struct{}

func New(cfg Config) *Client                                              { panic("soon") }
func (c *Client) Run(ctx context.Context) error                           { panic("soon") }
func (c *Client) Events() <-chan Event                                    { panic("soon") }
func (c *Client) Send(ctx context.Context, d Draft) (n uint64, err error) { panic("soon") }
func (c *Client) Join(room string) error                                  { panic("soon") }
func (c *Client) Part(room string) error                                  { panic("soon") }
func (c *Client) Nick(name string) error                                  { panic("soon") }
func (c *Client) Pending() int                                            { panic("soon") }
func (c *Client) Quit(ctx context.Context) error                          { panic("soon") }
func (c *Client) Close()                                                  { panic("soon") }
func (c *Client) Name() string                                            { panic("soon") }
func (c *Client) Rooms() []string                                         { panic("soon") }
func (c *Client) Room(name string) (RoomState, bool)                      { panic("soon") }
func (c *Client) Stats() Stats                                            { panic("soon") }
func (c *Client) Names(ctx context.Context, room string) (people []Person, total int, err error) {
	panic("soon")
}
func (c *Client) Whois(ctx context.Context, who string) (Info, error)          { panic("soon") }
func (c *Client) List(ctx context.Context) ([]RoomInfo, error)                 { panic("soon") }
func (c *Client) Author(ctx context.Context, from uint64) (identity.ID, error) { panic("soon") }
