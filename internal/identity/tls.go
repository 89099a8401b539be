package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"
)

// ALPN names the protocol inside TLS (RFC 7301).
const ALPN = "chatnode/1"

// ErrNotChatnode says that the other end of a TLS connection is not one of chatnode's: it negotiated another protocol, or its certificate is not the
// single self-signed one of an ed25519 key.
var ErrNotChatnode = errors.New("the other side does not speak chatnode")

// ServerTLS returns how a node meets its guests: TLS 1.3, with a certificate of k, and one of the guest's key. There are no session tickets: each
// connection proves both keys anew.
func ServerTLS(k *Key) *tls.Config {
	config := configOf(k)
	config.ClientAuth = tls.RequireAnyClientCert
	config.SessionTicketsDisabled = true
	return config
}

// ClientTLS returns how a client meets a node, by the same terms. Whether it is the right node is for the caller to judge, by PeerOf, once the
// handshake is over: until then the node has not shown that it has the key of its certificate.
func ClientTLS(k *Key) *tls.Config {
	config := configOf(k)
	config.InsecureSkipVerify = true // names and chains say nothing here: PeerOf is what counts
	return config
}

func configOf(k *Key) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{ALPN},
		Certificates: []tls.Certificate{k.certificate()},
		// A peer that is none of ours is refused before it is shown our certificate.
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := PeerOf(state)
			return err
		},
		// Small records come sooner where a link is slow; here most writes are small anyway, and the large ones are many messages.
		DynamicRecordSizingDisabled: true,
	}
}

// PeerOf returns the id of the key that the other end of a TLS connection has shown to have, once its handshake is over. It returns ErrNotChatnode for
// a peer of another kind.
func PeerOf(state tls.ConnectionState) (ID, error) {
	if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != ALPN || len(state.PeerCertificates) != 1 {
		return ID{}, ErrNotChatnode
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize || hasSmallOrder(key) {
		return ID{}, ErrNotChatnode
	}
	return IDOf(key), nil
}

// certificate returns a certificate of k, signed by itself. It carries the key and nothing else that counts: nobody looks at its name or its dates.
func (k *Key) certificate() tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "chatnode"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // no date of expiry (RFC 5280, 4.1.2.5)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k.private)
	if err != nil {
		panic("identity: make a certificate: " + err.Error()) // can't fail for an ed25519 key
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k.private}
}
