package wire

import (
	"crypto/sha256"
	"encoding/hex"
)

// spaceTextLen is how many bytes of a space's hash people tell it by.
const spaceTextLen = 8

// SpaceText returns what people tell a space by, and what it is announced by on a network: the first 8 bytes of SHA-256("chatnode/space/1" ‖ space), in
// hexadecimal. Whoever has only that can't say the space itself.
func SpaceText(space []byte) string {
	sum := sha256.Sum256(append([]byte("chatnode/space/1"), space...))
	return hex.EncodeToString(sum[:spaceTextLen])
}
