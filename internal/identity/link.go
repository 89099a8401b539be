package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"chatnode/internal/chat"
)

const (
	// maxLink is the length of the longest invitation that is read, in bytes.
	maxLink = 1 << 10
	// TokenLen is the length of an invitation's token, in bytes.
	TokenLen   = 16
	linkScheme = "chatnode"
)

// Link is an invitation as people pass it on: where a node is, who it is, and what lets its bearer in.
type Link struct {
	Address string // a host and a port, as NormalAddress spells them
	Room    string // where it leads, or empty
	Node    ID
	Token   []byte // TokenLen bytes, or none
}

// String returns the link as text that ParseLink reads: chatnode://HOST:PORT/ROOM?node=ID&t=TOKEN. In a shell it needs quotes.
func (l *Link) String() string {
	u := url.URL{Scheme: linkScheme, Host: l.Address, Path: "/" + l.Room, RawQuery: "node=" + l.Node.String()}
	if len(l.Token) > 0 {
		u.RawQuery += "&t=" + TokenText(l.Token)
	}
	return u.String()
}

// TokenText returns a token as links have it: base64url without padding (RFC 4648).
func TokenText(token []byte) string { return base64.RawURLEncoding.EncodeToString(token) }

// IsLink reports whether a text is meant as an invitation's link.
func IsLink(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && strings.EqualFold(strings.TrimSpace(scheme), linkScheme)
}

// ParseLink reads an invitation's link. White space around it is forgiven, and what later versions may add to it is passed over. Its errors say what
// is wrong and repeat nothing of the text: the token in it is a secret.
func ParseLink(text string) (*Link, error) {
	text = strings.TrimSpace(text)
	switch {
	case !IsLink(text):
		return nil, errors.New("that is no invitation: one begins with chatnode://")
	case len(text) > maxLink:
		return nil, fmt.Errorf("an invitation has at most %d bytes", maxLink)
	case !utf8.ValidString(text) || chat.OneLine(text) != text || strings.ContainsAny(text, " \t"):
		return nil, errors.New("the invitation has characters in it that none can have")
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.Contains(text, "#") {
		return nil, errors.New("the invitation is damaged: it reads chatnode://HOST:PORT/ROOM?node=ID&t=TOKEN")
	}
	l := &Link{Room: strings.TrimPrefix(u.Path, "/")}
	if l.Address, err = NormalAddress(u.Host); err != nil {
		return nil, errors.New("the invitation has no host and port that can be one")
	}
	if l.Room != "" && !chat.ValidRoom(l.Room) {
		return nil, errors.New("the invitation's room is none: " + chat.RoomRule)
	}
	if err := l.query(u.RawQuery); err != nil {
		return nil, err
	}
	return l, nil
}

// query reads what stands behind the question mark.
func (l *Link) query(text string) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("the invitation is damaged behind its question mark")
	}
	node, token := values["node"], values["t"]
	switch {
	case len(node) > 1 || len(token) > 1:
		return errors.New("the invitation says something twice")
	case len(node) == 0:
		return errors.New("the invitation does not say which node it is for; a shell cuts it at its & unless it stands in quotes")
	}
	if l.Node, err = ParseID(node[0]); err != nil {
		return errors.New("the invitation's node id has a mistake in it")
	}
	if len(token) == 1 {
		l.Token, err = ParseToken(token[0])
	}
	return err
}

// ParseToken reads what TokenText writes. Its error repeats nothing of the text.
func ParseToken(text string) ([]byte, error) {
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) != TokenLen || strings.ContainsAny(text, "\r\n") { // the library passes over line ends
		return nil, fmt.Errorf("an invitation's token has %d letters, digits, - and _", base64.RawURLEncoding.EncodedLen(TokenLen))
	}
	return token, nil
}
