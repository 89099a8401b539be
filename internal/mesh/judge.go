package mesh

import (
	"bytes"
	"context"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// SpaceError says that a node belongs to another space, and both have rows.
type SpaceError struct {
	Address      string
	Ours, Theirs [16]byte
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s belongs to the space %x, this node to %x", e.Address, e.Theirs, e.Ours)
}

// Unwrap makes it a refusal too.
func (e *SpaceError) Unwrap() error { return &RefusedError{Code: chat.OtherSpace} }

// verdict is what one side makes of the other's Peer. Both come to the same about the space.
type verdict struct {
	code     chat.Code
	admitted bool
	space    [16]byte // that both are of from now on
	move     bool     // this node gives up its own, in spite of its rows
}

// handshake exchanges the first records, and makes the link one of the mesh's. The dialler speaks first; what it is told behind the other's Peer is a yes
// or a goodbye, and only then does it become part of the other's space.
func (l *link) handshake(ctx context.Context) error {
	ours := l.m.introduce(l)
	theirs, err := l.meet(ours)
	if err != nil {
		return err
	}
	v := l.m.judge(l, ours, theirs)
	if v.code == chat.OtherSpace {
		return l.refuse(v.code, &SpaceError{Address: l.address, Ours: [16]byte(ours.Space), Theirs: [16]byte(theirs.Space)})
	} else if v.code != chat.OK {
		return l.refuse(v.code, &RefusedError{Code: v.code})
	}
	l.node, l.admitted, l.space = l.conn.Node(), v.admitted, v.space
	if l.dialed {
		if err := l.agreed(ours, theirs); err != nil {
			return err
		}
	}
	if err := l.m.enter([16]byte(ours.Space), v); err != nil {
		return l.refuse(chat.Internal, err)
	}
	if err := l.m.note(l, theirs); err != nil {
		return l.refuse(chat.Malformed, err)
	}
	if code := l.m.join(l); code != chat.OK {
		return l.refuse(code, &RefusedError{Code: code})
	}
	if ctx.Err() != nil {
		l.m.leave(l)
	}
	return ctx.Err()
}

// meet exchanges the two Peers.
func (l *link) meet(ours *wire.Peer) (*wire.Peer, error) {
	if l.dialed {
		if err := tell(l.conn.Peer(), ours); err != nil {
			return nil, err
		}
	}
	record, err := next(l.reader)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	theirs, ok := record.(*wire.Peer)
	if bye, said := record.(*wire.Bye); said {
		return nil, &RefusedError{Code: bye.Code, Retry: millis(bye.RetryAfterMS)}
	} else if !ok {
		return nil, l.refuse(chat.Malformed, fmt.Errorf("%w: the first record is no peer's", errLie))
	}
	if !l.dialed {
		return theirs, tell(l.conn.Peer(), ours)
	}
	return theirs, nil
}

// agreed waits for the other's yes: any record but a goodbye.
func (l *link) agreed(ours, theirs *wire.Peer) error {
	for l.first == nil { // a record of a type that this node does not know
		record, err := next(l.reader)
		if err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		l.first = record
	}
	bye, said := l.first.(*wire.Bye)
	switch {
	case !said:
		return nil
	case bye.Code == chat.OtherSpace:
		return &SpaceError{Address: l.address, Ours: [16]byte(ours.Space), Theirs: [16]byte(theirs.Space)}
	}
	return &RefusedError{Code: bye.Code, Retry: millis(bye.RetryAfterMS)}
}

// refuse tells the other why there is to be no link, gives it a moment to read that, and returns cause.
func (l *link) refuse(code chat.Code, cause error) error {
	if tell(l.conn.Peer(), &wire.Bye{Code: code}) == nil {
		l.linger()
	}
	return cause
}

// tell writes one record of the handshake, which fits into the window that a stream begins with.
func tell(stream frame.Stream, r wire.Record) error {
	_, err := stream.Write(wire.Must(nil, r))
	return err
}

// introduce returns this node's own Peer.
func (m *Mesh) introduce(l *link) *wire.Peer {
	sharing := m.cfg.Hub.Sharing()
	p := &wire.Peer{
		Version: wire.Version, Space: sharing.Space[:], Key: m.cfg.Key.Public(), Nonce: sharing.Nonce, Title: m.cfg.Title,
		Kept: m.cfg.Hub.Kept(), Record: m.ownRecord(),
	}
	if l.target != nil {
		p.Token = l.target.Token
	}
	return p
}

// judge decides about a link by what both sides have said.
func (m *Mesh) judge(l *link, ours, theirs *wire.Peer) verdict {
	switch {
	case theirs.Version != wire.Version:
		return verdict{code: chat.BadVersion}
	case identity.IDOf(theirs.Key) != l.conn.Node() || l.target != nil && !l.target.Node.IsZero() && l.target.Node != l.conn.Node():
		return verdict{code: chat.BadProof}
	case l.conn.Node() == m.self:
		return verdict{code: chat.Replaced} // it has reached itself
	}
	known, admitted, code := m.standing(l)
	if code != chat.OK {
		return verdict{code: code}
	}
	v := verdict{admitted: admitted, space: [16]byte(ours.Space)}
	same := bytes.Equal(ours.Space, theirs.Space)
	invited := false
	if !l.dialed && len(theirs.Token) > 0 && !(admitted && same) {
		invited = m.cfg.Hub.NodeInvite(theirs.Token)
	}
	v.admitted = admitted || invited
	switch {
	case !known && !v.admitted && m.cfg.InviteOnly:
		return verdict{code: uninvited(theirs)}
	case same:
	case !ours.Kept && !theirs.Kept:
		if bytes.Compare(theirs.Space, ours.Space) < 0 {
			v.space = [16]byte(theirs.Space)
		}
	case !theirs.Kept: // it becomes one of ours
	case !ours.Kept:
		v.space = [16]byte(theirs.Space)
	case l.dialed && len(ours.Token) > 0: // the other says goodbye if it is not good
		v.space, v.move = [16]byte(theirs.Space), true
	case !l.dialed && invited:
	case !l.dialed && len(theirs.Token) > 0:
		return verdict{code: chat.BadInvite}
	default:
		return verdict{code: chat.OtherSpace}
	}
	return v
}

func uninvited(theirs *wire.Peer) chat.Code {
	if len(theirs.Token) > 0 {
		return chat.BadInvite
	}
	return chat.NotInvited
}

// standing returns what the other node is to this one.
func (m *Mesh) standing(l *link) (known, admitted bool, code chat.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping {
		return false, false, chat.Stopping
	}
	p := m.peers[l.conn.Node()]
	switch {
	case p == nil:
	case p.Mode == wire.AdmitDrop:
		return true, false, chat.Denied
	case m.cfg.Now().Before(p.shunned):
		return true, false, chat.TooFast
	default:
		known, admitted = p.Seen > 0 || p.Mode == wire.AdmitIt, p.Mode == wire.AdmitIt
	}
	if l.target != nil {
		return true, true, chat.OK
	}
	return known || l.dialed, admitted, chat.OK
}

// enter makes this node part of the space that was agreed on, and has its rows get entries. Of several links that begin at once, those that have agreed on
// another one end.
func (m *Mesh) enter(ours [16]byte, v verdict) error {
	switch {
	case v.space == ours:
	case v.move:
		if err := m.cfg.Hub.JoinSpace(v.space); err != nil {
			return fmt.Errorf("move to another space: %w", err)
		}
	default:
		if err := m.cfg.Hub.Adopt(v.space); err != nil {
			return fmt.Errorf("become part of a space: %w", err)
		}
	}
	if err := m.cfg.Hub.Share(); err != nil {
		return fmt.Errorf("share the rows: %w", err)
	}
	now := m.cfg.Hub.Sharing().Space
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = now
	for _, l := range m.order {
		if l.space != now {
			l.endLocked(byeStopping())
		}
	}
	if now != v.space {
		return fmt.Errorf("the space is another one now")
	}
	return nil
}
