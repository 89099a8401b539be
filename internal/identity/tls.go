package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"time"
)

// Protocols inside TLS (RFC 7301). Which of them is spoken is the choice of whoever dials, and part of the handshake: nobody on the way can change it.
const (
	ALPN     = "chatnode/1"      // of a client
	PeerALPN = "chatnode-peer/1" // of another node
)

// ErrNotChatnode says that the other end of a TLS connection is not one of chatnode's: it negotiated another protocol, or its certificate is not the
// single self-signed one of an ed25519 key.
var ErrNotChatnode = errors.New("the other side does not speak chatnode")

// ServerTLS returns how a node meets its guests, clients and other nodes alike: TLS 1.3, with a certificate of k, and one of the guest's key. There are no
// session tickets: each connection proves both keys anew. What the guest is says IsPeer.
func ServerTLS(k *Key) *tls.Config {
	config := configOf(k, PeerALPN, ALPN)
	config.ClientAuth = tls.RequireAnyClientCert
	config.SessionTicketsDisabled = true
	return config
}

// ClientTLS returns how a client meets a node, by the same terms. Whether it is the right node is for the caller to judge, by PeerOf, once the
// handshake is over: until then the node has not shown that it has the key of its certificate.
func ClientTLS(k *Key) *tls.Config { return dialing(k, ALPN) }

// PeerTLS returns how a node with the key k meets another node: as ClientTLS, but both are peers then.
func PeerTLS(k *Key) *tls.Config { return dialing(k, PeerALPN) }

// dialing returns how whoever dials meets a node, by one protocol: a node that does not speak it ends the handshake.
func dialing(k *Key, protocol string) *tls.Config {
	config := configOf(k, protocol)
	config.InsecureSkipVerify = true // names and chains say nothing here: PeerOf is what counts
	return config
}

func configOf(k *Key, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   protocols,
		Certificates: []tls.Certificate{k.certificate()},
		// Whoever is none of ours is refused before they are shown our certificate.
		VerifyConnection: func(state tls.ConnectionState) error {
			if !slices.Contains(protocols, state.NegotiatedProtocol) {
				return ErrNotChatnode
			}
			_, err := PeerOf(state)
			return err
		},
		// Small records come sooner where a link is slow; here most writes are small anyway, and the large ones are many messages.
		DynamicRecordSizingDisabled: true,
	}
}

// PeerOf returns the id of the key that the other end of a TLS connection has shown to have, once its handshake is over. It returns ErrNotChatnode for
// an end of another kind.
func PeerOf(state tls.ConnectionState) (ID, error) {
	key, err := PublicOf(state)
	if err != nil {
		return ID{}, err
	}
	return IDOf(key), nil
}

// PublicOf returns the public key itself of which PeerOf returns the id, 32 bytes, by the same terms.
func PublicOf(state tls.ConnectionState) (ed25519.PublicKey, error) {
	spoken := state.NegotiatedProtocol == ALPN || state.NegotiatedProtocol == PeerALPN
	if state.Version != tls.VersionTLS13 || !spoken || len(state.PeerCertificates) != 1 {
		return nil, ErrNotChatnode
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize || hasSmallOrder(key) {
		return nil, ErrNotChatnode
	}
	return key, nil
}

// IsPeer reports whether a TLS connection, whose handshake is over, is one between two nodes.
func IsPeer(state tls.ConnectionState) bool { return state.NegotiatedProtocol == PeerALPN }

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
