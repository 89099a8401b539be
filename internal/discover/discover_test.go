package discover

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/mdns"
	"go.uber.org/goleak"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait that ends at once when the code is right.
const patience = 30 * time.Second

// The nodes of these tests, which are nobody else's on this machine.
var plant, barn, other = someID(1), someID(2), someID(3)

func someID(first byte) (id identity.ID) {
	_, _ = rand.Read(id[:]) // it never fails
	id[0] = first
	return id
}

// ours returns those of some nodes that are of these tests.
func ours(nodes []Node) []Node {
	return slices.DeleteFunc(nodes, func(n Node) bool { return !slices.Contains([]identity.ID{plant, barn, other}, n.ID) })
}

func entry(id identity.ID, txt ...string) *mdns.ServiceEntry {
	return &mdns.ServiceEntry{Name: id.String() + "." + service + "." + domain, InfoFields: txt}
}

// TestRead: what is no node's answer, or is half of one, is passed over, and nothing of it can drive a terminal.
func TestRead(t *testing.T) {
	mark := wire.SpaceText([]byte{7})
	whole := Node{ID: plant, Space: mark, Title: "Plant 5; west", Addresses: []string{"192.168.1.5:8080"}}
	base := []string{"id=" + plant.String(), "space=" + mark, "title=Plant%205%3B%20west", "at=192.168.1.5:8080"}
	with := func(i int, field string) []string { fields := slices.Clone(base); fields[i] = field; return fields }
	untitled, tame := whole, whole
	untitled.Title, tame.Title = "", "a\ufffd[2Jb"
	several := whole
	several.Addresses = []string{"192.168.1.5:8080", "[2001:db8::1]:9", "10.0.0.1:1", "10.0.0.2:1"}
	for name, c := range map[string]struct {
		entry *mdns.ServiceEntry
		want  Node
	}{
		"whole":               {entry(plant, base...), whole},
		"more than is known":  {entry(plant, append(slices.Clone(base), "color=red", "", "=", "at")...), whole},
		"of another service":  {&mdns.ServiceEntry{Name: "printer._ipp._tcp.local.", InfoFields: base}, Node{}},
		"no id for a name":    {&mdns.ServiceEntry{Name: "plant." + service + "." + domain, InfoFields: base}, Node{}},
		"no name":             {&mdns.ServiceEntry{InfoFields: base}, Node{}},
		"two ids":             {entry(plant, with(0, "id="+barn.String())...), Node{}},
		"no space":            {entry(plant, with(1, "")...), Node{}},
		"a space too long":    {entry(plant, with(1, "space="+mark+"00")...), Node{}},
		"no hex":              {entry(plant, with(1, "space=zz")...), Node{}},
		"no address":          {entry(plant, with(3, "")...), Node{}},
		"a name for one":      {entry(plant, with(3, "at=evil.example:80")...), Node{}},
		"no port":             {entry(plant, with(3, "at=192.168.1.5:0")...), Node{}},
		"a hostile title":     {entry(plant, with(2, "title=a%1b%5b2Jb")...), tame},
		"a title of no bytes": {entry(plant, with(2, "title=%zz")...), untitled},
		"a title too long":    {entry(plant, with(2, "title="+strings.Repeat("x", 81))...), untitled},
		"many addresses": {entry(plant, append(slices.Clone(base), "at=192.168.1.5:8080", "at=[2001:db8::1]:9", "at=[::ffff:10.0.0.1]:1", "at=10.0.0.2:1", "at=10.0.0.3:1")...),
			several},
	} {
		got, ok := read(c.entry)
		if !ok {
			got = Node{}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want.ID == plant) {
			t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
		}
	}
}

// TestThereAndBack: what a node says of itself is what is read of it.
func TestThereAndBack(t *testing.T) {
	for _, n := range []Node{
		{ID: plant, Space: wire.SpaceText([]byte{1}), Title: `Werk "5" \ ü; a=b|c`, Addresses: []string{"192.168.1.5:8080", "[2001:db8::1]:8080"}},
		{ID: barn, Space: wire.SpaceText([]byte{}), Title: strings.Repeat("ü", 40), Addresses: []string{"127.0.0.1:1"}},
		{ID: other, Space: wire.SpaceText([]byte{255}), Addresses: []string{"10.0.0.1:65535"}},
	} {
		s, err := serviceOf(&n)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range s.TXT {
			if len(field) > 255 || strings.ContainsAny(field, `"\`) {
				t.Errorf("a field that a TXT record can't hold as it is: %q", field)
			}
		}
		if got, ok := read(entry(n.ID, s.TXT...)); !ok || !cmp.Equal(n, got) {
			t.Errorf("mismatch (-want +got):\n%s", cmp.Diff(n, got))
		}
	}
	if _, err := serviceOf(&Node{ID: plant}); err == nil {
		t.Error("a node without an address announces itself")
	}
}

// TestNear: what is found is dialled on networks of this machine's own alone, and on loopback only from where there is nothing else.
func TestNear(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fe80::/64"), netip.MustParsePrefix("127.0.0.0/8")}
	said := []string{"8.8.8.8:53", "127.0.0.1:22", "192.168.1.5:8080", "192.168.2.5:8080", "[fe80::1%eth0]:1", "[::ffff:192.168.1.6]:1", "router:80"}
	if diff := cmp.Diff([]string{"192.168.1.5:8080", "[fe80::1%eth0]:1", "[::ffff:192.168.1.6]:1"}, near(said, own, false)); diff != "" {
		t.Errorf("from a network (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"127.0.0.1:22"}, near(said, own, true)); diff != "" {
		t.Errorf("from loopback (-want +got):\n%s", diff)
	}
}

// TestVerb: it prints who is there, says when nobody is, and takes nothing that makes no sense.
func TestVerb(t *testing.T) {
	nodes := []Node{{ID: barn, Space: "00aa", Title: "Barn", Addresses: []string{"10.0.0.1:1", "10.0.0.2:1"}}, {ID: plant, Space: "00aa", Addresses: []string{"10.0.0.3:1"}}}
	var waited time.Duration
	look := func(_ context.Context, wait time.Duration) ([]Node, error) { waited = wait; return nodes, nil }
	var out, errs bytes.Buffer
	if err := run(t.Context(), nil, look, &out, &errs); err != nil || waited != 2*time.Second || errs.Len() > 0 {
		t.Errorf("%v after %v, %q", err, waited, errs.String())
	}
	want := "TITLE  NODE" + strings.Repeat(" ", 57) + "SPACE  ADDRESSES\nBarn   " + barn.String() + "  00aa   10.0.0.1:1, 10.0.0.2:1\n       " + plant.String() + "  00aa   10.0.0.3:1\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	out.Reset()
	if err := run(t.Context(), []string{"-json", "-wait", "90ms"}, look, &out, &errs); err != nil || waited != 90*time.Millisecond {
		t.Errorf("%v after %v", err, waited)
	}
	var first object
	if err := json.NewDecoder(&out).Decode(&first); err != nil || !cmp.Equal(first, object{"node", "Barn", barn.String(), "00aa", nodes[0].Addresses}) {
		t.Errorf("%v, %+v", err, first)
	}
	nodes = nil
	out.Reset()
	if err := run(t.Context(), nil, look, &out, &errs); err != nil || out.Len() > 0 || !strings.Contains(errs.String(), "no node") {
		t.Errorf("of nobody: %v, %q, %q", err, out.String(), errs.String())
	}
	for _, args := range [][]string{{"x"}, {"-wait", "0s"}, {"-wait", "2m"}, {"-wait", "soon"}, {"-frob"}} {
		if err := run(t.Context(), args, look, &out, &errs); !errors.Is(err, ErrUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	deaf := errors.New("deaf")
	if err := run(t.Context(), nil, func(context.Context, time.Duration) ([]Node, error) { return nil, deaf }, &out, &errs); !errors.Is(err, deaf) || errors.Is(err, ErrUsage) {
		t.Errorf("without a network: %v", err)
	}
}

// multicast skips a test where loopback carries no multicast.
func multicast(t *testing.T) {
	t.Helper()
	on := interfaces(true)
	if len(on) == 0 {
		t.Skip("there is no loopback")
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	hears, err := net.ListenMulticastUDP("udp4", &on[0], group)
	if err != nil {
		t.Skip("loopback takes part in no group: ", err)
	}
	defer hears.Close()
	says, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, group)
	if err != nil {
		t.Skip("nothing is sent to a group: ", err)
	}
	defer says.Close()
	_ = hears.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := says.Write(make([]byte, 12)); err != nil {
		t.Skip("nothing is sent to a group: ", err)
	}
	if _, err := hears.Read(make([]byte, 64)); err != nil {
		t.Skip("what is sent to a group on loopback is not heard: ", err)
	}
}

// TestOnLoopback: three nodes announce themselves, and each finds the one of its own space, and nobody else; one that has gone is not found.
func TestOnLoopback(t *testing.T) {
	multicast(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := func(id identity.ID, space byte, address string) Node {
		return Node{ID: id, Space: wire.SpaceText([]byte{space}), Title: "node " + address, Addresses: []string{address}}
	}
	all := []Node{at(plant, 1, "127.0.0.1:7001"), at(barn, 1, "127.0.0.1:7002"), at(other, 2, "127.0.0.1:7003")}
	found := make(chan [2]Node, 64)
	ended := make(chan error, len(all))
	for _, n := range all {
		go func() { // ends with ctx, and is waited for below
			ended <- Run(ctx, Config{Self: func() Node { return n }, Found: func(f Node) { found <- [2]Node{n, f} }, Log: slog.New(slog.DiscardHandler)})
		}()
	}
	want := map[identity.ID]Node{plant: all[1], barn: all[0]}
	for deadline := time.After(patience); len(want) > 0; {
		select {
		case pair := <-found:
			if by, ok := want[pair[0].ID]; ok && !cmp.Equal(by, pair[1]) || pair[0].ID == other {
				t.Fatalf("%v has found %+v", pair[0].Title, pair[1])
			}
			delete(want, pair[0].ID)
		case <-deadline:
			t.Fatalf("not found by: %v", want)
		}
	}
	nodes, err := Look(ctx, 300*time.Millisecond)
	if nodes = ours(nodes); err != nil || !cmp.Equal(all, nodes) {
		t.Errorf("%v, mismatch (-want +got):\n%s", err, cmp.Diff(all, nodes))
	}
	cancel()
	for range all {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if nodes, _ := Look(t.Context(), 100*time.Millisecond); len(ours(nodes)) > 0 {
		t.Errorf("who has gone answers: %+v", nodes)
	}
}

// FuzzRead: nothing that can stand in an answer makes more of it than a node may be.
func FuzzRead(f *testing.F) {
	f.Add(plant.String()+"."+service+"."+domain, "id="+plant.String()+"|space="+wire.SpaceText([]byte{})+"|title=x|at=10.0.0.1:1")
	f.Fuzz(func(t *testing.T, name, txt string) {
		n, ok := read(&mdns.ServiceEntry{Name: name, InfoFields: strings.Split(txt, "|")})
		if ok && (n.ID.IsZero() && name == "" || len(n.Space) != 2*markLen || len(n.Addresses) == 0 || len(n.Addresses) > maxAddresses || strings.ContainsAny(n.Title, "\x1b\n\r")) {
			t.Errorf("%q, %q: %+v", name, txt, n)
		}
	})
}
