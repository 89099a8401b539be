package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// shake has two configurations shake hands over loopback, and returns what each end says of the other. A byte goes each way, so that each end hears of
// the other's refusal.
func shake(t *testing.T, server, client *tls.Config) (ofClient, ofServer ID, err error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // ends with its connection, which the deadline bounds
		conn, err := listener.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		ofClient, err = meet(ctx, tls.Server(conn, server))
		ended <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ofServer, err = meet(ctx, tls.Client(conn, client))
	if err != nil {
		conn.Close() // the other end waits for a byte
	}
	return ofClient, ofServer, errors.Join(<-ended, err)
}

func meet(ctx context.Context, conn *tls.Conn) (ID, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return ID{}, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte{1}); err != nil {
		return ID{}, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return ID{}, err
	}
	return PeerOf(conn.ConnectionState())
}

func newKey(t *testing.T) *Key {
	t.Helper()
	key, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTLSShowsBothKeys(t *testing.T) {
	node, carol := newKey(t), newKey(t)
	ofClient, ofServer, err := shake(t, ServerTLS(node), ClientTLS(carol))
	if err != nil {
		t.Fatal(err)
	}
	if ofClient != carol.ID() || ofServer != node.ID() {
		t.Errorf("the ends take each other for %v and %v, want %v and %v", ofClient, ofServer, carol.ID(), node.ID())
	}
}

// signed returns a certificate of public that signer has signed, as a thief of the public half would make it.
func signed(t *testing.T, public crypto.PublicKey, signer crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestTLSRefuses has one end come with what is none of chatnode's; no handshake ends well, on whichever end it is.
func TestTLSRefuses(t *testing.T) {
	mallory, carol := newKey(t), newKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := make(ed25519.PublicKey, ed25519.PublicKeySize) // of order 4
	spoils := map[string]func(*tls.Config){
		"no ALPN":         func(c *tls.Config) { c.NextProtos = nil },
		"another ALPN":    func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} },
		"TLS 1.2":         func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"ECDSA key":       func(c *tls.Config) { c.Certificates = certificate(curve, signed(t, curve.Public(), curve)) },
		"carol's, stolen": func(c *tls.Config) { c.Certificates = certificate(mallory.private, carol.certificate().Certificate[0]) },
		"two certificates": func(c *tls.Config) {
			c.Certificates = certificate(mallory.private, mallory.certificate().Certificate[0], carol.certificate().Certificate[0])
		},
		"key of small order": func(c *tls.Config) { c.Certificates = certificate(mallory.private, signed(t, small, mallory.private)) },
		"no certificate":     func(c *tls.Config) { c.Certificates = nil },
	}
	for name, spoil := range spoils {
		spoilt := func(config *tls.Config) *tls.Config {
			config.VerifyConnection = nil // the spoilt end takes anything
			spoil(config)
			return config
		}
		if _, _, err := shake(t, ServerTLS(newKey(t)), spoilt(ClientTLS(mallory))); err == nil {
			t.Errorf("%s: a node takes such a client", name)
		}
		if _, _, err := shake(t, spoilt(ServerTLS(mallory)), ClientTLS(carol)); err == nil {
			t.Errorf("%s: a client takes such a node", name)
		}
	}
}

func certificate(key crypto.PrivateKey, chain ...[]byte) []tls.Certificate {
	return []tls.Certificate{{Certificate: chain, PrivateKey: key}}
}

// TestPeerOf: what the handshake lets through is judged once more by who relies on it.
func TestPeerOf(t *testing.T) {
	key := newKey(t)
	parsed, err := x509.ParseCertificate(key.certificate().Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	good := tls.ConnectionState{Version: tls.VersionTLS13, NegotiatedProtocol: ALPN, PeerCertificates: []*x509.Certificate{parsed}}
	if id, err := PeerOf(good); id != key.ID() || err != nil {
		t.Errorf("PeerOf = %v, %v, want %v", id, err, key.ID())
	}
	for name, spoil := range map[string]func(*tls.ConnectionState){
		"version":   func(s *tls.ConnectionState) { s.Version = tls.VersionTLS12 },
		"protocol":  func(s *tls.ConnectionState) { s.NegotiatedProtocol = "" },
		"nobody":    func(s *tls.ConnectionState) { s.PeerCertificates = nil },
		"two":       func(s *tls.ConnectionState) { s.PeerCertificates = append(s.PeerCertificates, parsed) },
		"other key": func(s *tls.ConnectionState) { s.PeerCertificates = []*x509.Certificate{{PublicKey: 1}} },
		"small order": func(s *tls.ConnectionState) {
			s.PeerCertificates = []*x509.Certificate{{PublicKey: make(ed25519.PublicKey, ed25519.PublicKeySize)}}
		},
	} {
		state := good
		spoil(&state)
		if id, err := PeerOf(state); !id.IsZero() || !errors.Is(err, ErrNotChatnode) {
			t.Errorf("%s: %v, %v, want ErrNotChatnode", name, id, err)
		}
	}
}

// BenchmarkHandshake is a whole handshake, both ends on the same machine.
func BenchmarkHandshake(b *testing.B) {
	node, err := NewKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	server, client := ServerTLS(node), ClientTLS(node)
	for b.Loop() {
		near, far := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- tls.Server(far, server).Handshake() }()
		if err := tls.Client(near, client).Handshake(); err != nil {
			b.Fatal(err)
		}
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		near.Close()
		far.Close()
	}
}
