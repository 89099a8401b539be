package pipe

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/frame"
)

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New(func() time.Duration { return 20 * time.Millisecond })
		began := time.Now()
		read := func(want string) {
			t.Helper()
			buf := make([]byte, len(want))
			if _, err := io.ReadFull(b, buf); err != nil || string(buf) != want {
				t.Fatalf("read %q, %v, want %q", buf, err, want)
			}
		}
		a.Write([]byte("one"))
		a.Write([]byte("two"))
		read("onetwo")
		if took := time.Since(began); took != 20*time.Millisecond {
			t.Errorf("what was written took %v", took)
		}
		a.Cut()
		a.Write([]byte("three"))
		time.AfterFunc(time.Second, a.Heal)
		read("three")
		if took := time.Since(began); took < time.Second {
			t.Errorf("a cut let something through after %v", took)
		}
		if took, err := a.Ping(); took != 40*time.Millisecond || err != nil {
			t.Errorf("Ping = %v, %v", took, err)
		}
		if _, err := a.Write(make([]byte, window+1)); err != frame.ErrWindow {
			t.Errorf("a write beyond the window: %v", err)
		}
		if got := a.Written(); got != int64(len("onetwothree")) {
			t.Errorf("%d bytes were written", got)
		}
		a.Write([]byte("four"))
		a.Close()
		read("four")
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		<-b.Done()
		if _, err := b.Write([]byte("five")); err == nil {
			t.Error("a link that has ended takes a write")
		}
	})
}

// Who is cut off for long notices it at both ends, whichever way the cut is.
func TestCutForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New(nil)
		b.Cut()
		began := time.Now()
		<-a.Done()
		<-b.Done()
		if took := time.Since(began); took != silentLimit {
			t.Errorf("ended after %v", took)
		}
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("what has ended is read")
		}
		a, b = New(nil) // nor does it hear that the other has gone
		a.Cut()
		a.Close()
		began = time.Now()
		<-b.Done()
		if took := time.Since(began); took != silentLimit {
			t.Errorf("the other end ended after %v", took)
		}
	})
}
