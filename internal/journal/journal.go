// Package journal keeps records in a file that grows at its end. What was appended is there after the death of the process, and what
// is read is always a prefix of what was appended: a record cut short or damaged, and all behind it, is left out. It is not a database:
// it knows nothing of what the records say, is read once, when it is opened, and leaves it to its owner that one process at a time has it.
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"chatnode/internal/disk"
)

// The format: the magic, the version in one byte, and records. A record is its length and the checksum of that length, then the checksum
// of what it holds, four bytes each and big-endian, and then what it holds. The length has a checksum of its own so that damage to it is
// told from a record that was cut short. Checksums are CRC-32C (Castagnoli, RFC 3720).
const (
	magic     = "chatnode journal"
	version   = 1
	fileHead  = len(magic) + 1
	entryHead = 12
)

// Bounds, in bytes, of what one record holds and of the file.
const (
	MaxRecord = 64 << 10
	MaxFile   = 256 << 20
)

// ErrForeign says that a file is no journal, or is one that a newer chatnode has written. It is left as it is.
var ErrForeign = errors.New("is not a journal that this version of chatnode reads")

var (
	errSize   = fmt.Errorf("a record holds 1 to %d bytes", MaxRecord)
	errFull   = fmt.Errorf("a journal holds at most %d bytes", MaxFile)
	errClosed = errors.New("the journal is closed")
	castagna  = crc32.MakeTable(crc32.Castagnoli)
)

// Journal is an open file of records. It is not safe for concurrent use.
type Journal struct {
	path string
	file *os.File // nil when what it holds is in doubt, and behind Close
	size int64    // up to the end of the last whole record
	bad  error    // why file is nil
	buf  []byte   // of the last Append, for the next
}

// Open opens the journal at path, which is made for its owner's eyes alone when it is not there, and returns its whole records. A record
// that was cut short at the end, as the death of its writer leaves it, is cut off. What is damaged otherwise is cut off too, with all that
// follows; lost is its size in bytes, and aside is called before that happens, to copy the file. An error of aside is returned, and the
// file is left as it is. Open returns ErrForeign for a file that is none of its own.
func Open(path string, aside func() error) (j *Journal, records [][]byte, lost int, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, 0, err // names the path
	}
	defer func() {
		if err != nil {
			_ = file.Close() // err is the reason
		}
	}()
	all, err := read(file)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s %w", path, err)
	}
	records, end, torn, err := parse(all)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s %w", path, err)
	}
	if !torn && end < len(all) {
		lost = len(all) - end
		if err = aside(); err != nil {
			return nil, nil, 0, err
		}
	}
	j = &Journal{path: path, file: file, size: int64(end)}
	if end == 0 {
		if err = j.write(head()); err != nil {
			return nil, nil, 0, err
		}
	}
	if err = file.Truncate(j.size); err != nil {
		return nil, nil, 0, err
	}
	return j, records, lost, nil
}

// read returns all that a file holds, unless it is something that can't be a journal.
func read(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("can't be looked at: %w", err)
	case !info.Mode().IsRegular() || info.Size() > MaxFile:
		return nil, ErrForeign
	}
	all := make([]byte, info.Size())
	if _, err := io.ReadFull(file, all); err != nil {
		return nil, fmt.Errorf("can't be read: %w", err)
	}
	return all, nil
}

func head() []byte { return append([]byte(magic), version) }

// parse returns the whole records of a file and where the last of them ends; 0 when not even the file's head is there. torn says that what
// follows is the beginning of a record and nothing else.
func parse(all []byte) (records [][]byte, end int, torn bool, err error) {
	if len(all) < fileHead && bytes.HasPrefix(head(), all) {
		return nil, 0, true, nil
	}
	if !bytes.HasPrefix(all, head()) {
		return nil, 0, false, ErrForeign
	}
	for end = fileHead; ; {
		left := all[end:]
		if len(left) < entryHead {
			return records, end, true, nil
		}
		size := int(binary.BigEndian.Uint32(left))
		if checksum(left[:4]) != binary.BigEndian.Uint32(left[4:]) || size == 0 || size > MaxRecord {
			return records, end, false, nil
		}
		if len(left) < entryHead+size {
			return records, end, true, nil
		}
		record := left[entryHead : entryHead+size]
		if checksum(record) != binary.BigEndian.Uint32(left[8:]) {
			return records, end, false, nil
		}
		records = append(records, record)
		end += entryHead + size
	}
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagna) }

// encode appends records to buf as the file holds them.
func encode(buf []byte, records [][]byte) ([]byte, error) {
	for _, r := range records {
		if len(r) == 0 || len(r) > MaxRecord {
			return nil, errSize
		}
		at := len(buf)
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(r)))
		buf = binary.BigEndian.AppendUint32(buf, checksum(buf[at:]))
		buf = binary.BigEndian.AppendUint32(buf, checksum(r))
		buf = append(buf, r...)
	}
	return buf, nil
}

// Append puts records behind those that are there, all in one write, and does not wait for the disk: they outlive the process at once, and
// a power cut as soon as the system has written them. When it returns an error none of them is there.
func (j *Journal) Append(records ...[]byte) error {
	buf, err := encode(j.buf[:0], records)
	if err != nil {
		return err
	}
	if cap(buf) <= MaxRecord {
		j.buf = buf
	}
	return j.write(buf)
}

// write writes at the end, and takes back what an error leaves half written.
func (j *Journal) write(buf []byte) error {
	switch {
	case j.file == nil:
		return j.bad
	case j.size+int64(len(buf)) > MaxFile:
		return errFull
	}
	n, err := j.file.WriteAt(buf, j.size)
	if err == nil {
		j.size += int64(n)
		return nil
	}
	if cut := j.file.Truncate(j.size); cut != nil {
		j.give(errors.Join(err, cut))
	}
	return err
}

// give gives the journal up: nothing may come behind what can't be known.
func (j *Journal) give(err error) {
	_ = j.file.Close() // err is the reason
	j.file, j.bad = nil, err
}

// Rewrite puts records in the place of all that are there: a reader finds the old ones or the new, after a power cut too. When it returns
// an error that is so as well, and Append goes on behind whichever it is.
func (j *Journal) Rewrite(records ...[]byte) error {
	if j.file == nil {
		return j.bad
	}
	buf, err := encode(head(), records)
	switch {
	case err != nil:
		return err
	case len(buf) > MaxFile:
		return errFull
	}
	_ = j.file.Close() // it is about to be replaced, which Windows does to closed files only; nothing of it is needed
	wrote := disk.WriteFile(j.path, buf)
	j.file, j.bad = os.OpenFile(j.path, os.O_RDWR, 0)
	if j.bad != nil {
		j.file = nil
		return errors.Join(wrote, j.bad)
	}
	info, err := j.file.Stat()
	if err != nil {
		j.give(err)
		return errors.Join(wrote, err)
	}
	j.size = info.Size()
	return wrote
}

// Size returns the size of the file in bytes.
func (j *Journal) Size() int64 { return j.size }

// Close writes what the system holds back and closes the file. It may be called twice.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file, j.bad = nil, errClosed
	return err
}
