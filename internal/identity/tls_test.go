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

// shake has two configurations shake hands over loopback, and returns whom each end takes the other for.
func shake(t *testing.T, server, client *tls.Config) (ofClient, ofServer ID, err error) {
	t.Helper()
	atServer, atClient, err := states(t, server, client)
	if err != nil {
		return ID{}, ID{}, err
	}
	ofClient, err1 := PeerOf(atServer)
	ofServer, err2 := PeerOf(atClient)
	return ofClient, ofServer, errors.Join(err1, err2)
}

// states has two configurations shake hands over loopback, and returns what each end says of the connection. A byte goes each way, so that each end hears
// of the other's refusal.
func states(t *testing.T, server, client *tls.Config) (atServer, atClient tls.ConnectionState, err error) {
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
		atServer, err = meet(ctx, tls.Server(conn, server))
		ended <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	atClient, err = meet(ctx, tls.Client(conn, client))
	if err != nil {
		conn.Close() // the other end waits for a byte
	}
	return atServer, atClient, errors.Join(<-ended, err)
}

func meet(ctx context.Context, conn *tls.Conn) (none tls.ConnectionState, err error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return none, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte{1}); err != nil {
		return none, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return none, err
	}
	return conn.ConnectionState(), nil
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

// TestTLSTellsPeers: whether the other end is a client or a node is part of the handshake, and the same at both ends.
func TestTLSTellsPeers(t *testing.T) {
	node, other := newKey(t), newKey(t)
	for name, c := range map[string]struct {
		dialer *tls.Config
		peers  bool
	}{"a client": {ClientTLS(other), false}, "a node": {PeerTLS(other), true}} {
		atServer, atDialer, err := states(t, ServerTLS(node), c.dialer)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if IsPeer(atServer) != c.peers || IsPeer(atDialer) != c.peers {
			t.Errorf("%s is taken for a peer: %v here, %v there; want %v", name, IsPeer(atServer), IsPeer(atDialer), c.peers)
		}
		ofDialer, err1 := PublicOf(atServer)
		ofServer, err2 := PublicOf(atDialer)
		if err1 != nil || err2 != nil || !ofDialer.Equal(other.Public()) || !ofServer.Equal(node.Public()) {
			t.Errorf("%s: the ends know each other's keys as %x, %v and %x, %v", name, ofDialer, err1, ofServer, err2)
		}
	}
}

// TestTLSKeepsToItsProtocol: neither a client nor a node that dials goes on with an end that answers as the other kind.
func TestTLSKeepsToItsProtocol(t *testing.T) {
	good, err := x509.ParseCertificate(newKey(t).certificate().Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dialer *tls.Config
		speaks string
	}{"a client": {ClientTLS(newKey(t)), PeerALPN}, "a node": {PeerTLS(newKey(t)), ALPN}} {
		server := ServerTLS(newKey(t))
		server.NextProtos = []string{c.speaks}
		if _, _, err := shake(t, server, c.dialer); err == nil {
			t.Errorf("%s goes on with an end that speaks %s alone", name, c.speaks)
		}
		state := tls.ConnectionState{Version: tls.VersionTLS13, NegotiatedProtocol: c.speaks, PeerCertificates: []*x509.Certificate{good}}
		if err := c.dialer.VerifyConnection(state); !errors.Is(err, ErrNotChatnode) {
			t.Errorf("%s with %s: %v, want ErrNotChatnode", name, c.speaks, err)
		}
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
		if _, _, err := shake(t, ServerTLS(newKey(t)), spoilt(PeerTLS(mallory))); err == nil {
			t.Errorf("%s: a node takes such a node", name)
		}
		if _, _, err := shake(t, spoilt(ServerTLS(mallory)), PeerTLS(carol)); err == nil {
			t.Errorf("%s: a node dials such a node", name)
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
	if public, err := PublicOf(good); !public.Equal(key.Public()) || err != nil {
		t.Errorf("PublicOf = %x, %v, want %x", public, err, key.Public())
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
		if key, err := PublicOf(state); key != nil || !errors.Is(err, ErrNotChatnode) {
			t.Errorf("%s: %x, %v, want ErrNotChatnode", name, key, err)
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
