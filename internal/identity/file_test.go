package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestLoadOrMake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "carol.key")
	made, err := LoadOrMake(file, bytes.NewReader(seed()))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("the file has mode %v, want 0600", info.Mode())
	}
	read, err := LoadOrMake(file, iotest.ErrReader(errors.New("no randomness is needed")))
	if err != nil {
		t.Fatal(err)
	}
	if read.ID() != made.ID() || read.ID().String() != fixedText || !read.private.Equal(made.private) {
		t.Errorf("read %v, made %v, want %s", read.ID(), made.ID(), fixedText)
	}
	if names := dir(t, filepath.Dir(file)); len(names) != 1 {
		t.Errorf("the directory holds %q, want the key alone", names)
	}
}

// dir returns the names in a directory.
func dir(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// pemOf returns der as PEM.
func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestLoadOrMakeLeavesOthersFiles(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := x509.MarshalPKCS8PrivateKey(fixedKey(t).private)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ text, want string }{
		"nothing":        {"", "that is not a key"},
		"garbage":        {"dear diary\n", "that is not a key"},
		"public key":     {pemOf("PUBLIC KEY", ours), "that is not a key"},
		"broken DER":     {pemOf("PRIVATE KEY", ours[:20]), "that is not an ed25519 key"},
		"another kind":   {pemOf("PRIVATE KEY", other), "that is not an ed25519 key"},
		"half a file":    {pemOf("PRIVATE KEY", ours)[:40], "that is not a key"},
		"of a directory": {"", "read the key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "carol.key")
			if name == "of a directory" {
				if err := os.Mkdir(file, 0o700); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			key, err := LoadOrMake(file, rand.Reader)
			if key != nil || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("error %v, want %q and the file's name", err, tt.want)
			}
			if text, err := os.ReadFile(file); err == nil && string(text) != tt.text {
				t.Errorf("the file now holds %q", text)
			}
			if names := dir(t, filepath.Dir(file)); len(names) != 1 {
				t.Errorf("the directory holds %q", names)
			}
		})
	}
}

func TestLoadOrMakeRefusesReadableByOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mode does not say who can read a file")
	}
	file := filepath.Join(t.TempDir(), "Application Support", "carol.key") // as on a Mac
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrMake(file, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		key, err := LoadOrMake(file, rand.Reader)
		if key != nil || err == nil {
			t.Fatalf("mode %v: %v, %v", mode, key, err)
		}
		_, hint, _ := strings.Cut(err.Error(), "run: ")
		if said, err := exec.Command("sh", "-c", hint).CombinedOutput(); err != nil {
			t.Errorf("mode %v: %s: %v, %s", mode, hint, err, said)
		}
		if _, err := LoadOrMake(file, rand.Reader); err != nil {
			t.Errorf("mode %v, after %s: %v", mode, hint, err)
		}
	}
}

func TestLoadOrMakeAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "carol.key")
	var wg sync.WaitGroup
	keys, errs := make([]*Key, 8), make([]error, 8)
	start := make(chan struct{})
	for i := range keys {
		wg.Go(func() {
			<-start
			keys[i], errs[i] = LoadOrMake(file, rand.Reader)
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key.ID() != keys[0].ID() {
			t.Errorf("one has %v, another %v", key.ID(), keys[0].ID())
		}
	}
	if names := dir(t, filepath.Dir(file)); len(names) != 1 {
		t.Errorf("the directory holds %q, want the key alone", names)
	}
}

func TestLoadOrMakeNowhere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "carol.key")
	if key, err := LoadOrMake(missing, rand.Reader); key != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: error %v, want fs.ErrNotExist", err)
	}
	if _, err := LoadOrMake(filepath.Join(t.TempDir(), "carol.key"), iotest.ErrReader(errors.New("broken"))); err == nil {
		t.Error("a key was made without randomness")
	}
	if runtime.GOOS == "windows" {
		return
	}
	link := filepath.Join(t.TempDir(), "carol.key")
	if err := os.Symlink(missing, link); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadOrMake(link, rand.Reader); key != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nowhere: error %v, want fs.ErrNotExist", err)
	}
	if os.Geteuid() == 0 {
		return // root writes everywhere
	}
	locked := t.TempDir()
	if err := os.Chmod(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadOrMake(filepath.Join(locked, "carol.key"), rand.Reader); key != nil || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unwritable directory: error %v, want fs.ErrPermission", err)
	}
}
