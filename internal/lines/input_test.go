package lines

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll returns the lines of an input, refused ones as "too long", and the error behind them.
func readAll(in io.Reader, limit int) ([]string, error) {
	var out []string
	for r := newLineReader(in, limit); ; {
		switch l := r.next(); {
		case l.err != nil:
			return out, l.err
		case l.tooLong:
			out = append(out, "too long")
		default:
			out = append(out, l.text)
		}
	}
}

func TestLineReader(t *testing.T) {
	for in, want := range map[string][]string{
		"":                      nil,
		"\n":                    {""},
		"a":                     {"a"},
		"a\nb":                  {"a", "b"},
		"a\r\nb\r\n":            {"a", "b"},
		"a\r\r\n":               {"a\r"},
		"a\rb\n":                {"a\rb"},
		"\r\n":                  {""},
		"\xef\xbb\xbfa\n":       {"a"},
		"a\n\xef\xbb\xbfb":      {"a", "\xef\xbb\xbfb"},
		"12345":                 {"12345"},
		"12345\r\n":             {"12345"},
		"\xef\xbb\xbf12345\r\n": {"12345"},
		"123456":                {"too long"},
		"12345\r":               {"12345"},
		"12345\r\r\n6":          {"too long", "6"},
		"a\n1234567890\nb\n":    {"a", "too long", "b"},
		"1234567890":            {"too long"},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in)), "early error": iotest.DataErrReader(strings.NewReader(in))} {
			got, err := readAll(r, 5)
			if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("%q by %s: %v, mismatch (-want +got):\n%s", in, name, err, diff)
			}
		}
	}
}

func TestLineReaderAcrossBuffers(t *testing.T) {
	long := strings.Repeat("x", 3*bufferSize)
	got, err := readAll(strings.NewReader(long+"\n"+long+"y\n"+"z"), 3*bufferSize)
	if diff := cmp.Diff([]string{long, "too long", "z"}, got); diff != "" || !errors.Is(err, io.EOF) {
		t.Errorf("%v, mismatch in lines of %d bytes", err, len(long))
	}
}

func TestLineReaderTellsErrors(t *testing.T) {
	failure := errors.New("device gone")
	got, err := readAll(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(failure)), 5)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || !errors.Is(err, failure) {
		t.Errorf("%v, mismatch (-want +got):\n%s", err, diff)
	}
}

// endless is an input of n bytes without a newline.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.n) // what stands in p will do
	e.n -= n
	return int(n), nil
}

func TestEndlessLineTakesNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lines, err := readAll(&endless{1 << 30}, maxJSON)
	whole := readWhole(&endless{1 << 30})
	runtime.ReadMemStats(&after)
	if len(lines) != 1 || lines[0] != "too long" || !errors.Is(err, io.EOF) || !whole.tooLong {
		t.Errorf("lines of 1 GB are %.20q (%v) and %v", lines, err, whole.tooLong)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("lines of 1 GB took %d bytes of memory", taken)
	}
}

func TestReadWholeTellsErrors(t *testing.T) {
	failure := errors.New("device gone")
	if l := readWhole(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(failure))); !errors.Is(l.err, failure) || l.text != "" {
		t.Errorf("readWhole returned %+v", l)
	}
}

func TestSource(t *testing.T) {
	for _, s := range []source{{}, {Line: 3}, {Line: 3, N: 2, Ref: "x 1"}, {Ref: " "}, {Ref: "ü\n\x00"}} {
		if got := parseSource(s.mark()); got != s {
			t.Errorf("%+v came back as %+v", s, got)
		}
	}
	if got := parseSource("mine"); got != (source{}) {
		t.Errorf("a strange mark became %+v", got)
	}
}
