package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// stream returns records of the given sizes, with their lengths, and the records alone.
func stream(sizes ...int) (whole []byte, records [][]byte) {
	for i, size := range sizes {
		record := bytes.Repeat([]byte{byte(i + 1)}, size)
		whole = binary.BigEndian.AppendUint32(whole, uint32(size))
		whole = append(whole, record...)
		records = append(records, record)
	}
	return whole, records
}

// readAll returns all records and the error that ended them.
func readAll(r *Reader) (records [][]byte, err error) {
	for {
		record, err := r.Next()
		if err != nil {
			return records, err
		}
		records = append(records, slices.Clone(record))
	}
}

// chunks hands data out in pieces of size bytes, the last piece together with io.EOF when eager is set.
type chunks struct {
	data  []byte
	size  int
	eager bool
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	if c.eager && len(c.data) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestReaderChunks(t *testing.T) {
	whole, want := stream(1, 2, 3, 500, 1, 511, 512, 513, 7, 1500, 4, 4, 90)
	for size := 1; size <= len(whole); size++ {
		for _, eager := range []bool{false, true} {
			got, err := readAll(NewReader(&chunks{whole, size, eager}))
			if err != io.EOF || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("chunks of %d: error %v, mismatch (-want +got):\n%s", size, err, cmp.Diff(want, got))
			}
		}
	}
}

func TestReaderLargeAndSmall(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	var sizes []int
	for range 200 {
		sizes = append(sizes, []int{1 + rng.IntN(200), 1 + rng.IntN(5000), MaxRecord - rng.IntN(3)}[min(2, rng.IntN(9)/3)])
	}
	whole, want := stream(sizes...)
	random := readerFunc(func(p []byte) (int, error) {
		if len(whole) == 0 {
			return 0, io.EOF
		}
		n := copy(p[:1+rng.IntN(len(p))], whole)
		whole = whole[n:]
		return n, nil
	})
	got, err := readAll(NewReader(random))
	if err != io.EOF || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("read %d records of %d, error %v, or others than were written", len(got), len(want), err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReaderEndsAtEveryOffset(t *testing.T) {
	whole, _ := stream(3, 1, 600)
	for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
		for end := range len(whole) + 1 {
			records, err := readAll(NewReader(wrap(bytes.NewReader(whole[:end]))))
			between := map[int]int{0: 0, 7: 1, 12: 2, len(whole): 3}
			count, ok := between[end]
			switch {
			case ok && (err != io.EOF || len(records) != count):
				t.Errorf("end at %d: %d records, error %v; want %d and io.EOF", end, len(records), err, count)
			case !ok && err != io.ErrUnexpectedEOF:
				t.Errorf("end at %d: error %v, want io.ErrUnexpectedEOF", end, err)
			}
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	whole, _ := stream(3, 5)
	broken := errors.New("broken")
	records, err := readAll(NewReader(io.MultiReader(bytes.NewReader(whole[:9]), iotest.ErrReader(broken))))
	if len(records) != 1 || err != broken {
		t.Errorf("%d records, error %v; want 1 and the connection's error", len(records), err)
	}
}

func TestReaderRefusesSizes(t *testing.T) {
	for _, size := range []uint32{0, MaxRecord + 1, 1 << 20, 1 << 31, 1<<32 - 1} {
		head := binary.BigEndian.AppendUint32(nil, size)
		r := NewReader(io.MultiReader(bytes.NewReader(head), iotest.ErrReader(errors.New("read on"))))
		for range 2 { // and stays there
			if item, err := r.Next(); item != nil || err != ErrTooLarge {
				t.Errorf("a record of %d bytes: %d bytes, error %v; want ErrTooLarge", size, len(item), err)
			}
		}
		if len(r.buf) > minBuffer {
			t.Errorf("a record of %d bytes: took a buffer of %d bytes", size, len(r.buf))
		}
	}
	if item, err := NewReader(bytes.NewReader(append([]byte{0, 1, 0, 0}, make([]byte, MaxRecord)...))).Next(); len(item) != MaxRecord || err != nil {
		t.Errorf("a record of the largest size: %d bytes, error %v", len(item), err)
	}
}

// TestReaderShrinks: a connection that goes quiet after a burst holds little.
func TestReaderShrinks(t *testing.T) {
	whole, _ := stream(slices.Repeat([]int{150}, 2000)...)
	whole2, _ := stream(MaxRecord, 20, 20, 20, 20)
	r := NewReader(io.MultiReader(bytes.NewReader(whole), &chunks{whole2[:HeaderLen+MaxRecord], MaxRecord, false}, &chunks{whole2[HeaderLen+MaxRecord:], 24, false}))
	largest := 0
	for {
		if _, err := r.Next(); err != nil {
			break
		}
		largest = max(largest, len(r.buf))
	}
	if largest > HeaderLen+MaxRecord {
		t.Errorf("the buffer grew to %d bytes", largest)
	}
	if len(r.buf) > minBuffer {
		t.Errorf("the buffer still takes %d bytes after small records, want %d", len(r.buf), minBuffer)
	}
}

func TestReaderBuffered(t *testing.T) {
	whole, _ := stream(3, 1, 600)
	r := NewReader(&chunks{whole, 13, false}) // the second chunk ends inside the third record
	if r.Buffered() {
		t.Error("a record is there before the first read")
	}
	var got []bool
	for range 3 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Buffered())
	}
	if diff := cmp.Diff([]bool{true, false, false}, got); diff != "" {
		t.Errorf("Buffered after each record mismatch (-want +got):\n%s", diff)
	}
}

// TestReaderAllocates nothing for records that fit its buffer.
func TestReaderAllocates(t *testing.T) {
	whole, _ := stream(slices.Repeat([]int{140}, 3000)...)
	r := NewReader(&chunks{whole, 700, false})
	for range 100 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = r.Next() }); n > 0 {
		t.Errorf("%v allocations for each record", n)
	}
}

// readReady reads as somebody does who may not wait: once whenever there is something, and gives back what it can whenever there is not. ready is called
// before each read, and says how many bytes a Reader holds then.
func readReady(r *Reader, ready func(held int)) (records [][]byte, err error) {
	for {
		for r.Buffered() {
			record, err := r.Next()
			if err != nil {
				return records, err
			}
			records = append(records, slices.Clone(record))
		}
		r.Release()
		ready(len(r.buf))
		if err := r.More(); err != nil {
			return records, err
		}
	}
}

// TestMore: whatever a stream is cut into, whoever reads only what is there gets all records, and then its end.
func TestMore(t *testing.T) {
	whole, want := stream(1, 2, 3, 500, 1, 511, 512, 513, 7, 1500, 4, 4, 90, maxBuffer-HeaderLen-1, maxBuffer-HeaderLen, maxBuffer, 3, MaxRecord, MaxRecord, 1)
	for _, size := range []int{1, 2, 3, 7, 100, 511, 512, 513, 4096, maxBuffer - 1, maxBuffer, maxBuffer + 1, len(whole)} {
		for _, eager := range []bool{false, true} {
			pieces := &chunks{whole, size, eager}
			got, err := readReady(NewReader(pieces), func(int) {})
			if err != io.EOF || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("pieces of %d: %d records, error %v; want %d and io.EOF", size, len(got), err, len(want))
			}
		}
	}
	short, _ := stream(3, 600)
	for end := range len(short) {
		pieces := &chunks{short[:end], 10, false}
		_, err := readReady(NewReader(pieces), func(int) {})
		if between := end == 0 || end == HeaderLen+3; between != (err == io.EOF) || !between && err != io.ErrUnexpectedEOF {
			t.Errorf("end at %d: error %v", end, err)
		}
	}
	for _, size := range []uint32{0, MaxRecord + 1, 1<<32 - 1} {
		pieces := &chunks{binary.BigEndian.AppendUint32(nil, size), 1, false}
		r := NewReader(pieces)
		if _, err := readReady(r, func(int) {}); err != ErrTooLarge {
			t.Errorf("a record of %d bytes: error %v, want ErrTooLarge", size, err)
		}
	}
}

// TestReleaseKeepsLittle: between two reads a Reader holds nothing when all has been handed out, else at most twice what has come of a record; however small the
// pieces are in which a large one comes, it is not copied for each.
func TestReleaseKeepsLittle(t *testing.T) {
	for _, size := range []int{1, 100, 3000, 2 * maxBuffer} {
		whole, _ := stream(20, MaxRecord, 20)
		pieces := &chunks{whole, size, false}
		r := NewReader(pieces)
		sizes := map[int]bool{}
		_, err := readReady(r, func(held int) {
			sizes[held] = true
			if left := r.end - r.off; held > max(minBuffer, 2*left, HeaderLen+MaxRecord*min(1, left/maxBuffer)) || left == 0 && held > 0 {
				t.Fatalf("pieces of %d: %d bytes are held for %d", size, held, left)
			}
			if r.loan != nil {
				t.Fatal("a Reader has kept what was lent to it")
			}
		})
		if err != io.EOF || len(sizes) > 20 {
			t.Errorf("pieces of %d: the buffer had %d sizes; error %v", size, len(sizes), err)
		}
	}
}

// TestMoreAllocates nothing for whole records.
func TestMoreAllocates(t *testing.T) {
	whole, _ := stream(slices.Repeat([]int{140}, 30)...)
	pieces := &chunks{whole, len(whole), false}
	r := NewReader(pieces)
	read := func() {
		pieces.data = whole
		_, _ = readAllReady(r)
	}
	read()
	if n := testing.AllocsPerRun(200, read); n >= 1 { // but when the collector has taken what is lent
		t.Errorf("%v allocations for 30 records", n)
	}
}

// readAllReady takes what is there, without a copy.
func readAllReady(r *Reader) (n int, err error) {
	if err := r.More(); err != nil {
		return 0, err
	}
	for r.Buffered() {
		if _, err := r.Next(); err != nil {
			return n, err
		}
		n++
	}
	r.Release()
	return n, nil
}
