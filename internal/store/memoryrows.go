package store

// Sizes of what a room's rows are kept in: a quiet room costs little, a busy one fills large blocks.
const (
	chunkRows = 256
	minBlock  = 512
	maxBlock  = 32 << 10
)

// memoryRows are the rows of a room, which come at the end and go at the beginning. They stand in chunks that are never moved, and their records in blocks
// of many: a slice of a million rows would be copied each time that it grows, and the collector would have to look at a million records.
type memoryRows struct {
	chunks [][]memoryRow // all full but the last; the first gone rows of the first are gone
	gone   int
	len    int
	block  []byte // what is left of it is for the next records
}

// at returns row i, counted from the first that is there.
func (l *memoryRows) at(i int) *memoryRow {
	i += l.gone
	return &l.chunks[i/chunkRows][i%chunkRows]
}

// append adds a row, with a copy of its record.
func (l *memoryRows) append(row memoryRow) {
	row.record = l.keep(row.record)
	last := len(l.chunks) - 1
	switch {
	case last < 0:
		l.chunks = append(l.chunks, nil) // grows as it has to: most rooms have few rows
		last = 0
	case len(l.chunks[last]) == chunkRows:
		l.chunks = append(l.chunks, make([]memoryRow, 0, chunkRows))
		last++
	}
	l.chunks[last] = append(l.chunks[last], row)
	l.len++
}

func (l *memoryRows) keep(record []byte) []byte {
	if cap(l.block)-len(l.block) < len(record) {
		size := min(max(2*cap(l.block), minBlock), maxBlock)
		l.block = make([]byte, 0, max(size, len(record)))
	}
	from := len(l.block)
	l.block = append(l.block, record...)
	return l.block[from:len(l.block):len(l.block)]
}

// change puts another record in the place of a row's. Of the old one nothing is left in memory.
func (l *memoryRows) change(row *memoryRow, record []byte) {
	clear(row.record)
	row.record = record
}

// drop lets the first n rows go.
func (l *memoryRows) drop(n int) {
	l.gone += n
	l.len -= n
	whole := l.gone / chunkRows
	if l.len == 0 {
		whole = len(l.chunks)
		l.gone = whole * chunkRows
	}
	clear(l.chunks[:whole])
	l.chunks = l.chunks[whole:]
	l.gone -= whole * chunkRows
	for i := range l.gone {
		l.chunks[0][i] = memoryRow{} // its record can go at once
	}
}

// clone returns a list that has nothing in common with this one.
func (l *memoryRows) clone() (own memoryRows) {
	for i := range l.len {
		own.append(*l.at(i))
	}
	return own
}
