//go:build linux || darwin

package journal

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk has the system refuse to let a file grow, in a process of its own: a record that does not fit is taken back whole, and
// smaller ones still find room.
func TestFullDisk(t *testing.T) {
	const role = "CHATNODE_TEST_FULL"
	if path := os.Getenv(role); path != "" {
		fillUp(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "journal")
	child := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	child.Env = append(os.Environ(), role+"="+path)
	if out, err := child.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	_, texts, lost, _ := reopen(t, path)
	if lost != 0 || len(texts) != 3 || texts[0] != "before" || texts[1] != "small" || texts[2] != "after" {
		t.Errorf("found %.40q, %d bytes lost", texts, lost)
	}
}

func fillUp(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	j, _, _, _ := reopen(t, path)
	append1(t, j, "before")
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = 1000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	long := []byte(strings.Repeat("x", 2000))
	err := j.Append([]byte("first of three"), long, []byte("third"))
	full := j.Size()
	wrote := j.Rewrite(slices.Repeat([][]byte{[]byte("other")}, 100)...)
	append1(t, j, "small")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) || !errors.Is(wrote, syscall.EFBIG) {
		t.Errorf("Append returned %v, Rewrite %v, want EFBIG", err, wrote)
	}
	if want := int64(fileHead + entryHead + len("before")); full != want {
		t.Errorf("%d bytes behind the failure, want %d", full, want)
	}
	append1(t, j, "after")
}
