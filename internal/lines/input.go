package lines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"chatnode/internal/chat"
)

const (
	// maxJSON is the longest line of JSON in bytes: a text of the greatest size with every byte escaped, and its fields.
	maxJSON = 6*chat.MaxText + 4096
	// maxCRs is how many carriage returns a whole input may hold besides its text.
	maxCRs = chat.MaxLines + 1
	// bufferSize is how much of the input is read at a time.
	bufferSize = 32 << 10
)

// byteOrderMark is what some systems put before a text in UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// maxExtra is how many bytes a line may have besides its text: a mark before it, CRLF behind it.
const maxExtra = len(byteOrderMark) + 2

// line is one line of the input, or the reason why there are no more.
type line struct {
	n       int // from 1; 0 for an input that is taken whole
	text    string
	tooLong bool  // text is empty then: the line was passed over
	err     error // io.EOF, or why the input can't be read; nothing else is set then
}

// lineReader cuts an input into lines and never holds more of one than limit bytes and a buffer.
type lineReader struct {
	in    *bufio.Reader
	limit int
	n     int
	held  []byte
}

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, bufferSize), limit: limit}
}

// next returns the next line without its end, which may be LF or CRLF; the last line needs none.
func (r *lineReader) next() line {
	r.held = r.held[:0]
	tooLong, got := false, false
	for {
		part, err := r.in.ReadSlice('\n')
		got = got || len(part) > 0
		if room := r.limit + maxExtra - len(r.held); len(part) > room {
			tooLong = true
		} else if !tooLong {
			r.held = append(r.held, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !got:
			return line{err: err}
		}
		// An error behind the last line comes back at the next call.
		return r.cut(tooLong)
	}
}

func (r *lineReader) cut(tooLong bool) line {
	r.n++
	text := bytes.TrimSuffix(r.held, []byte("\n"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	if r.n == 1 {
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	}
	if tooLong || len(text) > r.limit {
		return line{n: r.n, tooLong: true}
	}
	return line{n: r.n, text: string(text)}
}

// readWhole returns the whole input as one line, without newlines at its end.
func readWhole(in io.Reader) line {
	const limit = chat.MaxText + len(byteOrderMark) + maxCRs + 1
	raw, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err != nil {
		return line{err: err}
	}
	if len(raw) > limit {
		return line{tooLong: true}
	}
	text := strings.TrimPrefix(string(raw), byteOrderMark)
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return line{text: text}
}

// feed reads the input and hands it over line by line, as fast as it is taken; behind the last comes one that carries the error. It
// returns when that is taken or ctx has ended, which it notices once a read that blocks has returned.
func feed(ctx context.Context, cfg *Config, to chan<- line) {
	if cfg.Whole {
		if l := readWhole(cfg.In); hand(ctx, to, l) && l.err == nil {
			hand(ctx, to, line{err: io.EOF})
		}
		return
	}
	limit := chat.MaxText
	if cfg.JSON {
		limit = maxJSON
	}
	for r := newLineReader(cfg.In, limit); ; {
		if l := r.next(); !hand(ctx, to, l) || l.err != nil {
			return
		}
	}
}

// hand hands l over, unless ctx ends first.
func hand(ctx context.Context, to chan<- line, l line) bool {
	select {
	case to <- l:
		return true
	case <-ctx.Done():
		return false
	}
}
