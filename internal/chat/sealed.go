package chat

// Limits of sealed texts, in bytes: what the shortest and the longest text come to. A node can check no more of one than that.
const (
	MinSealed = 355
	MaxSealed = 8485
)

// CheckSealed returns the code with which a sealed text of n bytes is refused, or OK.
func CheckSealed(n int) Code {
	switch {
	case n < MinSealed:
		return Malformed
	case n > MaxSealed:
		return TooLong
	}
	return OK
}
