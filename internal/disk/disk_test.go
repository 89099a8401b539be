package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestLockHoldsOthersOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v, want ErrLocked", err)
	}
	for range 2 {
		if err := first.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	second, err := TryLock(path)
	if err != nil {
		t.Fatalf("after Unlock: %v", err)
	}
	defer second.Unlock()
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != fileMode {
		t.Errorf("the lock's file: %v, %v, want mode %o", info.Mode(), err, fileMode)
	}
	if _, err := TryLock(filepath.Join(t.TempDir(), "no", "lock")); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("a lock in a folder that is not there: %v", err)
	}
}

func TestWriteFileReplacesAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"a long text to begin with", "short", ""} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != fileMode {
		t.Errorf("mode %v, %v, want %o", info.Mode(), err, fileMode)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := WriteFile(filepath.Join(path, "below"), nil); err == nil {
		t.Error("wrote below a file")
	}
}

func TestWriteNewReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := WriteNew(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a path that is taken: %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("read %q, %v", got, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestFree(t *testing.T) {
	if free, err := Free(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("Free = %d, %v", free, err)
	}
	if _, err := Free(filepath.Join(t.TempDir(), "not there")); err == nil {
		t.Error("Free of a path that is not there says nothing")
	}
}

func TestPlaces(t *testing.T) {
	xdg := t.TempDir()
	for variable, place := range map[string]func() (string, error){
		"XDG_CONFIG_HOME": ConfigDir, "XDG_DATA_HOME": DataDir, "XDG_STATE_HOME": StateDir,
	} {
		t.Setenv(variable, xdg)
		if dir, err := place(); err != nil || dir != filepath.Join(xdg, "chatnode") {
			t.Errorf("with %s: %q, %v", variable, dir, err)
		}
		t.Setenv(variable, "relative") // is to be passed over
		dir, err := place()
		if err != nil || !filepath.IsAbs(dir) || filepath.Dir(dir) == xdg {
			t.Errorf("with a relative %s: %q, %v", variable, dir, err)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	t.Setenv("HOME", "/home/carol")
	if dir, err := StateDir(); err != nil || dir != "/home/carol/.local/state/chatnode" {
		t.Errorf("StateDir = %q, %v", dir, err)
	}
}
