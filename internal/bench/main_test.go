package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"testing"
	"time"

	"chatnode/internal/identity"

	"go.uber.org/goleak"
)

// roleVariable makes this test binary one of the servers that the bench starts.
const roleVariable = "CHATNODE_BENCH_TEST_ROLE"

// patience bounds a wait that ends at once when the code is right.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := play(ctx, role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is a server process: the floor, a fake node with or without a fault, or one that does not work at all.
func play(ctx context.Context, role string) error {
	switch role {
	case "floor":
		return Main(ctx, os.Args[2:], &Console{Out: os.Stdout, Err: os.Stderr}) // behind the verb
	case "fails":
		return fmt.Errorf("no room at the inn")
	case "babbles":
		fmt.Println("hello")
		<-ctx.Done()
		return nil
	case "silent":
		<-ctx.Done()
		return nil
	}
	address := "127.0.0.1:0"
	for i, arg := range os.Args[1:] {
		if os.Args[i] == "-listen" {
			address = arg // the last one
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf(`{"type":"listening","addr":%q}`+"\n", listener.Addr())
	node := newFakeNode(role)
	if !slices.Contains(os.Args, "-insecure") {
		key, err := identity.NewKey(rand.Reader)
		if err != nil {
			return err
		}
		node.tls = identity.ServerTLS(key)
	}
	if i := slices.Index(os.Args, "-data"); i > 0 {
		if node.kept, err = openFakeStore(os.Args[i+1]); err != nil {
			return err
		}
		defer node.kept.close()
	}
	node.serve(ctx, listener)
	return nil
}

// roleProgram runs this binary in a role. The race detector would have it wait for a second at its end.
func roleProgram(role string) program {
	return program{path: os.Args[0], env: []string{roleVariable + "=" + role, "GORACE=atexit_sleep_ms=0"}}
}
