package trial

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"math/big"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/siege"
)

// doorAttacks are on the way from the first byte to a link.
var doorAttacks = []attack{
	{name: "TLS of another kind", guests: len(badTLS) + 1, run: breaksTLS},
	{name: "TLS records that are none", guests: len(badTLSRecords), run: breaksTLSRecords},
	{name: "a certificate of another key", guests: 4, run: wearsAnothersKey},
	{name: "garbage inside TLS", guests: 4, run: garbageInTLS},
	{name: "goes down to plain", guests: 4, run: goesDown},
}

// badTLS are changes to the way in which a client meets a node, each of which makes it somebody else.
var badTLS = map[string]func(*tls.Config){
	"no certificate": func(t *tls.Config) { t.Certificates = nil },
	"RSA": func(t *tls.Config) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		wear(t, key, err)
	},
	"ECDSA": func(t *tls.Config) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		wear(t, key, err)
	},
	"two certificates": func(t *tls.Config) {
		chain := &t.Certificates[0]
		chain.Certificate = append(chain.Certificate, chain.Certificate[0])
	},
	"a key that proves nothing": func(t *tls.Config) { wear(t, forger{}, nil) },
	"another's certificate": func(t *tls.Config) {
		_, own, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		t.Certificates[0].PrivateKey = liar{own, t.Certificates[0].PrivateKey.(crypto.Signer).Public()}
	},
	"no ALPN":      func(t *tls.Config) { t.NextProtos = nil },
	"another ALPN": func(t *tls.Config) { t.NextProtos = []string{"h2", "chatnode/0", "chatnode/2"} },
	"TLS 1.2":      func(t *tls.Config) { t.MinVersion, t.MaxVersion = tls.VersionTLS10, tls.VersionTLS12 },
}

// wear has a client show a certificate of that key. What it is signed by is all one.
func wear(t *tls.Config, key crypto.Signer, err error) {
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // likewise
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), signer)
	if err != nil {
		panic(err) // the template is a good one
	}
	t.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
}

// forger has the neutral element for its key, and signs whatever there is: R the neutral element, S zero.
type forger struct{}

func (forger) Public() crypto.PublicKey {
	return ed25519.PublicKey(append([]byte{1}, make([]byte, 31)...))
}

func (forger) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return append([]byte{1}, make([]byte, 63)...), nil
}

// liar signs with its own key, and says that it is another.
type liar struct {
	crypto.Signer
	says crypto.PublicKey
}

func (l liar) Public() crypto.PublicKey { return l.says }

// breaksTLS meets the node with each of badTLS, and goes on as if nothing had happened. The same without a change is let in.
func breaksTLS(c *camp) {
	names := append(slices.Sorted(maps.Keys(badTLS)), "")
	c.each(func(i int) {
		name := names[i%len(names)]
		key, err := identity.NewKey(rand.Reader)
		c.must(err)
		config := identity.ClientTLS(key)
		config.VerifyConnection = nil
		if name != "" {
			badTLS[name](config)
		}
		conn := tls.Client(c.raw(), config)
		_, _ = conn.Write(streams)
		switch n, err := conn.Read(make([]byte, 1)); {
		case name == "":
			c.must(err)
		case n > 0 || err == nil:
			c.Errorf("%s: with %s the node goes on to speak", c.name, name)
		default:
			c.must(bare{conn.NetConn()}.Ended())
		}
	})
}

// streams opens those of a link.
var streams = slices.Concat(siege.Frame(siege.FrameWindow, siege.SYN, siege.Control, 0), siege.Frame(siege.FrameWindow, siege.SYN, siege.Chat, 0))

// badTLSRecords are first bytes of what seems to be TLS.
var badTLSRecords = [][]byte{
	slices.Concat([]byte{22, 3, 3, 0xff, 0xff}, make([]byte, 0xffff)),                                      // a record of 64 KiB
	slices.Concat([]byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, make([]byte, 0x4000-4)),                  // a hello of 16 MiB
	slices.Repeat([]byte{22, 3, 1, 0, 0}, 10_000),                                                          // records of nothing
	slices.Concat([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, make([]byte, 64)),                                    // a hello of nothing
	slices.Concat([]byte{22, 3, 1, 0, 64, 1, 0, 0, 60, 3, 3}, slices.Repeat([]byte{0xff}, 58)),             // a hello of garbage
	slices.Concat([]byte{22, 2, 0, 0, 4, 1, 0, 0, 0}, make([]byte, 64)),                                    // SSL 2
	slices.Concat([]byte{23, 3, 3, 0, 64}, make([]byte, 64)), {21, 3, 3, 0, 2, 2, 40}, {20, 3, 3, 0, 1, 1}, // what comes later
}

func breaksTLSRecords(c *camp) {
	c.each(func(i int) { c.must(c.raw(badTLSRecords[i%len(badTLSRecords)]...).Ended()) })
}

// wearsAnothersKey says hello as the owner of a key that is not the link's, with a proof that is good.
func wearsAnothersKey(c *camp) {
	c.each(func(int) {
		other, err := identity.NewKey(rand.Reader)
		c.must(err)
		conn := c.link()
		conn.Key = other
		c.must(conn.Say(siege.Control, c.hello(conn, "mallory")))
		c.expelled(conn, chat.BadProof)
	})
}

// garbageInTLS breaks the encryption of a link that was a good one.
func garbageInTLS(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		_, err := conn.Socket().Write(slices.Concat([]byte{23, 3, 3, 0, 64}, make([]byte, 64)))
		c.must(err)
		c.must(conn.Ended())
	})
}

// goesDown speaks to the node without TLS. What it hears is a sentence, and nothing of the protocol.
func goesDown(c *camp) {
	c.each(func(int) {
		conn := c.raw(streams...)
		said, err := io.ReadAll(conn)
		if err != nil || len(said) == 0 || said[0] < ' ' {
			c.Errorf("%s: the node says %q (%v), want a sentence", c.name, said, err)
		}
	})
}
