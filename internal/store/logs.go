package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// logWriter are the statements of a writer that are about logs that nodes share.
type logWriter struct {
	log, entry, entries  *sql.Stmt // entry: one, entries: chunk of them
	pair, abroad, fork   *sql.Stmt
	peer, forgetPeer     *sql.Stmt
	meta                 *sql.Stmt
	forgetSame           *sql.Stmt
	ends, acts, keepAct  *sql.Stmt
	trim, trimPairs, low *sql.Stmt
}

func (w *writer) prepareLogs(ctx context.Context) error {
	const oneEntry = "(?,?,?,?,?,?,?,?,?,?,?,?)"
	l := &w.logs
	for stmt, text := range map[**sql.Stmt]string{
		&l.log: "INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (num) DO UPDATE SET (low, head, head_id, lamport, forked) = " +
			"(excluded.low, excluded.head, excluded.head_id, excluded.lamport, excluded.forked)",
		&l.entry:      "INSERT INTO entry VALUES " + oneEntry,
		&l.entries:    "INSERT INTO entry VALUES " + strings.Repeat(oneEntry+",", chunk-1) + oneEntry,
		&l.pair:       "INSERT INTO pair VALUES (?,?,?,?) ON CONFLICT (origin, cseq) DO UPDATE SET (room, row) = (excluded.room, excluded.row)",
		&l.abroad:     "INSERT OR REPLACE INTO abroad VALUES (?,?,?,?,?)",
		&l.fork:       "INSERT INTO fork VALUES (?,?) ON CONFLICT (log) DO UPDATE SET proof = excluded.proof",
		&l.peer:       "INSERT OR REPLACE INTO peer VALUES (?,?,?,?,?,?,?,?)",
		&l.forgetPeer: "DELETE FROM peer WHERE node = ?",
		&l.meta:       "INSERT OR REPLACE INTO meta VALUES (?,?)",
		&l.forgetSame: "UPDATE entry SET salt = NULL, body = NULL WHERE room = ? AND same = ? AND same > 0 AND salt IS NOT NULL",
		// What was taken when a room had no rows stands at the row before its low.
		&l.ends: fmt.Sprintf("SELECT id >> %d, max(id & %d) FROM entry WHERE room = ? AND row BETWEEN ? AND ? GROUP BY 1", seqBits, maxSeq),
		&l.acts: fmt.Sprintf("SELECT e.id, m.salt, m.record FROM entry e JOIN message m ON m.id = (e.room << %d | e.row) "+
			"WHERE e.room = ? AND e.row BETWEEN ? AND ? AND e.act = 1 AND e.hidden = 0", seqBits),
		&l.keepAct:   "UPDATE entry SET hidden = 1, salt = ?2, body = ?3 WHERE id = ?1",
		&l.trim:      "DELETE FROM entry WHERE room = ? AND row BETWEEN ? AND ? AND act = 0",
		&l.trimPairs: "DELETE FROM pair WHERE room = ? AND row BETWEEN ? AND ?",
		&l.low:       "UPDATE log SET low = max(low, ?2) WHERE num = ?1",
	} {
		if err := w.ready(ctx, stmt, text); err != nil {
			return err
		}
	}
	return nil
}

// writeLogs puts what the batch says of logs and peers into the transaction; logs are those that it changes, as they are behind it.
func (w *writer) writeLogs(b *Batch, logs map[uint64]*Log) error {
	if b.Sharing != nil {
		if err := w.writeSharing(b.Sharing); err != nil {
			return err
		}
	}
	for _, num := range slices.Sorted(maps.Keys(logs)) {
		l := logs[num]
		if _, err := w.logs.log.Exec(int64(l.Num), l.Key[:], int64(l.Nonce), int64(l.Room), int64(l.Low), int64(l.Head), l.HeadID[:], int64(l.Lamport), int64(l.Forked)); err != nil {
			return err
		}
	}
	if err := w.writeEntries(b.Entries); err != nil {
		return err
	}
	for i := range b.Pairs {
		p := &b.Pairs[i]
		if _, err := w.logs.pair.Exec(p.Origin[:], int64(p.CSeq), int64(p.Room), int64(p.Row)); err != nil {
			return err
		}
	}
	for i := range b.Abroad {
		a := &b.Abroad[i]
		if _, err := w.logs.abroad.Exec(int64(a.Num), int64(a.Epoch), int64(a.From), a.Name[:], a.Via[:]); err != nil {
			return err
		}
	}
	for i := range b.Peers {
		if err := w.writePeer(&b.Peers[i]); err != nil {
			return err
		}
	}
	for i := range b.Forks {
		if _, err := w.logs.fork.Exec(int64(b.Forks[i].Log), b.Forks[i].Proof); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeSharing(s *Sharing) error {
	for key, value := range map[string]any{metaSpace: s.Space[:], metaNonce: binary.BigEndian.AppendUint64(nil, s.Nonce), metaShared: s.Shared} {
		if _, err := w.logs.meta.Exec(key, value); err != nil {
			return err
		}
	}
	return nil
}

// writeEntries inserts entries.
func (w *writer) writeEntries(entries []Entry) error {
	return w.insert(len(entries), w.logs.entry, w.logs.entries, func(i int) {
		e := &entries[i]
		salt, body := e.Salt, e.Body
		if !e.Hidden { // its row has them
			salt, body = nil, nil
		}
		w.args = append(w.args, rowID(e.Log, e.Seq), int64(e.Lamport), e.ID[:], int64(e.Room), int64(e.Row), e.Hidden, int64(e.Same), e.Act, e.Header, e.Sig, salt, body)
	})
}

func (w *writer) writePeer(p *Peer) (err error) {
	if p.Gone {
		_, err = w.logs.forgetPeer.Exec(p.Node[:])
	} else {
		var key []byte
		if p.Key != ([32]byte{}) {
			key = p.Key[:]
		}
		_, err = w.logs.peer.Exec(p.Node[:], key, int64(p.Mode), p.Title, appendHosts(nil, p.Hosts), p.Expires, p.Seen, p.Fault)
	}
	return err
}

// appendHosts encodes where a peer is reached: of each host its length, a variable-length integer (encoding/binary), and itself.
func appendHosts(b []byte, hosts []string) []byte {
	for _, h := range hosts {
		b = append(binary.AppendUvarint(b, uint64(len(h))), h...)
	}
	return b
}

// parseHosts decodes what appendHosts wrote. Its error wraps ErrDamaged.
func parseHosts(b []byte) (hosts []string, err error) {
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, fmt.Errorf("%w (the hosts of a peer)", ErrDamaged)
		}
		hosts = append(hosts, string(b[size:size+int(n)]))
		b = b[size+int(n):]
	}
	return hosts, nil
}

// lowsBelow returns where the logs of a room begin when its rows below low are gone: those that lose entries by that.
func (s *SQLite) lowsBelow(room, low uint64) (map[uint64]uint64, error) {
	s.mu.RLock()
	begin, shared := s.rooms[room].Low, len(s.logs) > 0
	s.mu.RUnlock()
	if !shared {
		return nil, nil
	}
	rows, err := s.writer.logs.ends.Query(int64(room), int64(begin-1), int64(low-1))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lows := map[uint64]uint64{}
	for rows.Next() {
		var log, last uint64
		if err := rows.Scan(&log, &last); err != nil {
			return nil, err
		}
		lows[log] = last + 1
	}
	return lows, rows.Err()
}

// trimEntries lets go of the entries of a room's rows from seq from on, those from low on excepted, and of what was taken among them, in the transaction;
// lows are where the logs begin then. Acts stay, with their texts: what they have made of the room holds on.
func (w *writer) trimEntries(room, from, low uint64, lows map[uint64]uint64) error {
	type text struct {
		id         int64
		salt, body []byte
	}
	var acts []text
	rows, err := w.logs.acts.Query(int64(room), int64(from-1), int64(low-1))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t text
		var record []byte
		if err := rows.Scan(&t.id, &t.salt, &record); err != nil {
			return err
		}
		t.salt, t.body = textOf(t.salt, record)
		acts = append(acts, t)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, t := range acts {
		if _, err := w.logs.keepAct.Exec(t.id, t.salt, t.body); err != nil {
			return err
		}
	}
	for _, stmt := range []*sql.Stmt{w.logs.trim, w.logs.trimPairs} {
		if _, err := stmt.Exec(int64(room), int64(from-1), int64(low-1)); err != nil {
			return err
		}
	}
	for log, low := range lows {
		if _, err := w.logs.low.Exec(int64(log), int64(low)); err != nil {
			return err
		}
	}
	return nil
}

// textOf returns what a row says and its salt, of one whose text was taken away neither.
func textOf(salt, record []byte) ([]byte, []byte) {
	if len(salt) != len(Row{}.Salt) {
		return nil, nil
	}
	e, err := event(record)
	if err != nil {
		return nil, nil
	}
	return salt, e.Body
}

// loadShared reads what a store is among others.
func loadShared(ctx context.Context, db querier, state *State) error {
	for _, load := range []func() error{
		func() error { return loadSharing(ctx, db, &state.Sharing) },
		func() error { return loadLogs(ctx, db, func(l Log) { state.Logs = append(state.Logs, l) }) },
		func() error {
			acts := withTexts + "WHERE e.act = 1 ORDER BY e.room, e.lamport, e.name"
			return loadEntries(ctx, db, func(e Entry) error { state.Acts = append(state.Acts, e); return nil }, acts)
		},
		func() error { return loadAbroad(ctx, db, func(a Abroad) { state.Abroad = append(state.Abroad, a) }) },
		func() error { return loadPeers(ctx, db, func(p Peer) { state.Peers = append(state.Peers, p) }) },
		func() error { return loadForks(ctx, db, func(f ForkProof) { state.Forks = append(state.Forks, f) }) },
	} {
		if err := load(); err != nil {
			return err // of a damaged file the next would say the same
		}
	}
	return nil
}

func loadSharing(ctx context.Context, db querier, s *Sharing) error {
	met := 0
	err := each(ctx, db, "SELECT key, value FROM meta WHERE key IN (?, ?, ?)", func(scan scan) error {
		var key string
		var value any
		if err := scan(&key, &value); err != nil {
			return err
		}
		met++
		raw, _ := value.([]byte)
		switch key {
		case metaSpace:
			return fillWhole(s.Space[:], raw)
		case metaNonce:
			var nonce [8]byte
			err := fillWhole(nonce[:], raw)
			s.Nonce = binary.BigEndian.Uint64(nonce[:])
			return err
		}
		n, isNumber := value.(int64)
		if s.Shared = n == 1; !isNumber || n&^1 != 0 {
			return fmt.Errorf("%w (%q is %v)", ErrDamaged, key, value)
		}
		return nil
	}, metaSpace, metaNonce, metaShared)
	if err == nil && met != 3 {
		err = fmt.Errorf("%w (what it is among others is missing)", ErrDamaged)
	}
	return err
}

// loadLogs reads the logs in the order of their numbers.
func loadLogs(ctx context.Context, db querier, found func(Log)) error {
	return each(ctx, db, "SELECT num, key, nonce, room, low, head, head_id, lamport, forked FROM log ORDER BY num", func(scan scan) error {
		var l Log
		var key, id []byte
		var nonce int64
		if err := scan(&l.Num, &key, &nonce, &l.Room, &l.Low, &l.Head, &id, &l.Lamport, &l.Forked); err != nil {
			return err
		}
		l.Nonce = uint64(nonce)
		if err := errors.Join(fillWhole(l.Key[:], key), fillWhole(l.HeadID[:], id)); err != nil {
			return fmt.Errorf("log %d: %w", l.Num, err)
		}
		found(l)
		return nil
	})
}

// loadAbroad reads what numbers of origins stand for elsewhere, in their order.
func loadAbroad(ctx context.Context, db querier, found func(Abroad)) error {
	return each(ctx, db, "SELECT num, epoch, there, name, via FROM abroad ORDER BY num", func(scan scan) error {
		var a Abroad
		var name, via []byte
		var epoch, there int64
		if err := scan(&a.Num, &epoch, &there, &name, &via); err != nil {
			return err
		}
		a.Epoch, a.From = uint64(epoch), uint64(there)
		if err := errors.Join(fillWhole(a.Name[:], name), fillWhole(a.Via[:], via)); err != nil {
			return fmt.Errorf("origin %d, of another node: %w", a.Num, err)
		}
		found(a)
		return nil
	})
}

// loadPeers reads the peers in the order of their nodes.
func loadPeers(ctx context.Context, db querier, found func(Peer)) error {
	return each(ctx, db, "SELECT node, key, mode, title, hosts, expires, seen, fault FROM peer ORDER BY node", func(scan scan) error {
		var p Peer
		var node, key, hosts []byte
		if err := scan(&node, &key, &p.Mode, &p.Title, &hosts, &p.Expires, &p.Seen, &p.Fault); err != nil {
			return err
		}
		err := errors.Join(fillWhole(p.Node[:], node), fill(p.Key[:], key))
		if err == nil {
			p.Hosts, err = parseHosts(hosts)
		}
		if err != nil {
			return fmt.Errorf("peer %x: %w", node, err)
		}
		found(p)
		return nil
	})
}

// loadForks reads the proofs of forks in the order of their logs.
func loadForks(ctx context.Context, db querier, found func(ForkProof)) error {
	return each(ctx, db, "SELECT log, proof FROM fork ORDER BY log", func(scan scan) error {
		var f ForkProof
		if err := scan(&f.Log, &f.Proof); err != nil {
			return err
		}
		found(f)
		return nil
	})
}
