package identity

import (
	"crypto/ed25519"
	"encoding/hex"
)

// smallOrder are the y coordinates of the points whose order divides 8, canonical or not, without the bit of the sign: keys for which anybody can
// find a signature without knowing any secret. (RFC 8032 section 5.1 leaves it to the application to refuse them.)
var smallOrder = map[[ed25519.PublicKeySize]byte]bool{
	point("0000000000000000000000000000000000000000000000000000000000000000"): true, // order 4
	point("0100000000000000000000000000000000000000000000000000000000000000"): true, // order 1
	point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"): true, // order 8
	point("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"): true, // order 8
	point("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"): true, // order 2
	point("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"): true, // 0, not canonical
	point("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"): true, // 1, not canonical
}

func point(digits string) (p [ed25519.PublicKeySize]byte) {
	if n, err := hex.Decode(p[:], []byte(digits)); err != nil || n != len(p) {
		panic("identity: a point is 32 bytes")
	}
	return p
}

// hasSmallOrder reports whether key, of 32 bytes, is one of smallOrder.
func hasSmallOrder(key ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[len(y)-1] &= 0x7f
	return smallOrder[y]
}
