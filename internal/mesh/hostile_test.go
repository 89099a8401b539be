package mesh

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// Who lies, or makes no sense, loses its link, is named, and is left alone for a while; nobody else suffers, and nothing of it is kept.
func TestLiars(t *testing.T) {
	entries := func(s *stranger, change func(*wire.Entry), spoil func([]wire.Signed) []wire.Signed) {
		log := wire.Log{Node: s.key.Public(), Nonce: 9, Room: "lobby"}
		list := s.sign(log, 3, change)
		s.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list)}})
		if spoil != nil {
			list = spoil(list)
		}
		s.say(&wire.Entries{Log: log.ID(), First: 1, List: list})
	}
	for name, lie := range map[string]func(s *stranger){
		"wrong signature": func(s *stranger) {
			entries(s, nil, func(l []wire.Signed) []wire.Signed { l[1].Sig = bytes.Clone(l[1].Sig); l[1].Sig[5] ^= 1; return l })
		},
		"wrong text": func(s *stranger) {
			entries(s, nil, func(l []wire.Signed) []wire.Signed { l[1].Body = []byte("x"); return l })
		},
		"wrong prev": func(s *stranger) {
			entries(s, func(e *wire.Entry) {
				if e.Seq == 2 {
					e.Prev = make([]byte, 32)
				}
			}, nil)
		},
		"lamport falls": func(s *stranger) {
			entries(s, func(e *wire.Entry) {
				if e.Lamport = 5; e.Seq == 3 {
					e.Lamport = 3
				}
			}, nil)
		},
		"entries of no log": func(s *stranger) {
			_, l := s.log("lobby", 1)
			s.say(&wire.Entries{Log: wire.LogID{1}, First: 1, List: l})
		},
		"another's question": func(s *stranger) { s.say(&wire.Names{Room: "lobby"}) },
		"a second handshake": func(s *stranger) { s.say(s.peer()) },
		"a fork that is none": func(s *stranger) {
			log, l := s.log("lobby", 1)
			s.say(&wire.Fork{Log: log, A: bare(l[0]), B: bare(l[0])})
		},
		"no record":            func(s *stranger) { s.raw([]byte{0, 0, 0, 2, 0xff, 0xff}) },
		"a record without end": func(s *stranger) { s.raw([]byte{0xff, 0, 0, 0, 1}) },
		"others' addresses": func(s *stranger) {
			s.say(&wire.Addresses{List: [][]byte{(&wire.SignedAddresses{Key: keyOf(50).Public(), Hosts: []string{"10.0.0.9:1"}, Expires: 1 << 41, Sig: make([]byte, 64)}).Encode()}})
		},
		"a bad entry": func(s *stranger) {
			entries(s, nil, func(l []wire.Signed) []wire.Signed { l[0].Entry = []byte("?"); return l })
		},
	} {
		t.Run(name, func(t *testing.T) {
			run2(t, func(w *world) {
				honest, other := w.add(nil), w.add(nil, 0)
				w.start(w.nodes...)
				w.settle(2 * time.Second)
				s := w.stranger(honest, 99)
				lie(s)
				code, err := s.ends()
				if code != chat.Malformed || !errors.Is(err, errLie) {
					t.Errorf("ended with %v, %v", code, err)
				}
				w.settle(time.Second)
				if p := honest.peers[s.key.ID()]; p.Fault == "" {
					t.Error("nobody will know what it did")
				}
				if code, err := w.again(honest, 99); code != chat.TooFast {
					t.Errorf("it comes again: %v, %v", code, err)
				}
				other.say("lobby", "hello")
				w.settle(time.Second)
				w.converged()
				w.settle(shunFor)
				if s := w.stranger(honest, 99); wait[*wire.Digests](s) != nil {
					s.end.Close()
				}
			})
		})
	}
}

func bare(s wire.Signed) wire.Signed { s.Salt, s.Body = nil, nil; return s }

// again dials a node once more, and returns how that ends.
func (w *world) again(to *node, n uint64) (chat.Code, error) {
	s := w.silent(to, n)
	s.say(s.peer())
	return s.ends()
}

// A handshake that does not come to its end is ended, and so is one that begins wrong.
func TestHandshakeNeverFinished(t *testing.T) {
	for name, begin := range map[string]func(s *stranger){
		"silent":       func(s *stranger) {},
		"half":         func(s *stranger) { b := wire.Must(nil, s.peer()); s.raw(b[:len(b)/2]) },
		"one a second": func(s *stranger) { s.raw([]byte{0, 0, 0}) },
		"no peer":      func(s *stranger) { s.say(&wire.Digests{Last: true}) },
		"no record":    func(s *stranger) { s.raw([]byte{0, 0, 0, 0}) },
		"goodbye":      func(s *stranger) { s.say(&wire.Bye{Code: chat.Stopping}) },
	} {
		t.Run(name, func(t *testing.T) {
			run2(t, func(w *world) {
				n := w.alone()
				began := time.Now()
				s := w.silent(n, 99)
				begin(s)
				<-s.done
				if took := time.Since(began); took > handshakeLimit+lingerFor || s.err == nil {
					t.Errorf("ended after %v with %v", took, s.err)
				}
				if got := w.linked(n); len(got) != 0 {
					t.Errorf("linked with %v", got)
				}
			})
		})
	}
}

// Entries that depend on what never comes are kept within bounds, whatever else goes on.
func TestWaitingIsBounded(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		for i := range 40 {
			log := wire.Log{Node: s.key.Public(), Nonce: uint64(i), Room: "lobby"}
			list := s.sign(log, 256, func(e *wire.Entry) {
				if e.Seq == 1 {
					e.Deps = []wire.Dep{{Log: wire.LogID{9}, Seq: 1, ID: make([]byte, 16)}}
					e.Lamport = 2
				}
			})
			s.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list)}})
			for at := 0; at < len(list); at += 64 {
				s.say(&wire.Entries{Log: log.ID(), First: uint64(at + 1), List: list[at : at+64]})
			}
			w.settle(10 * time.Millisecond)
		}
		n.mesh.mu.Lock()
		l := n.mesh.links[s.key.ID()]
		if l == nil {
			n.mesh.mu.Unlock()
			t.Fatal("the link has ended")
		}
		waiting := l.waiting.entries
		if waiting > maxWaiting || waiting < maxWaiting/2 || l.waiting.bytes > maxWaitingBytes {
			t.Errorf("%d entries wait, of %d bytes", waiting, l.waiting.bytes)
		}
		n.mesh.mu.Unlock()
		if len(n.order) != 0 {
			t.Errorf("%d entries were taken that depend on what is not there", len(n.order))
		}
		s.end.Close()
	})
}

// A peer that does not read costs the node no memory: what it is sent stops at its window, and what is to be said does not grow with time.
func TestPeerThatDoesNotRead(t *testing.T) {
	run2(t, func(w *world) {
		n, other := w.add(nil), w.add(nil, 0)
		w.start(w.nodes...)
		w.settle(2 * time.Second)
		s := w.stranger(n, 99)
		wait[*wire.Digests](s)
		s.say(&wire.Digests{Last: true})
		for i := range 3000 {
			n.say("lobby", strings.Repeat("x", 500))
			if i%100 == 0 {
				w.settle(time.Millisecond)
			}
		}
		w.settle(5 * time.Second)
		w.converged(n, other)
		n.mesh.mu.Lock()
		defer n.mesh.mu.Unlock()
		l := n.mesh.links[s.key.ID()]
		if l == nil {
			t.Fatal("the link has ended")
		}
		if got := len(l.out.ready) + len(l.out.haves) + len(l.out.tells) + len(l.out.people); got > 10 {
			t.Errorf("%d things wait to be said", got)
		}
		if got := l.flows[(&wire.Log{Node: n.key.Public(), Nonce: n.sharing.Nonce, Room: "lobby"}).ID()].has; got > 1000 {
			t.Errorf("%d entries were sent to whom does not read", got)
		}
		s.end.Close()
	})
}

// Small records beyond what is sensible are read slowly.
func TestFlood(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		began := time.Now()
		have := bytes.Repeat(wire.Must(nil, &wire.Have{}), 3*smallEach)
		s.raw(have)
		s.say(&wire.Bye{Code: chat.Goodbye})
		<-s.done
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("%d records were read in %v", 3*smallEach, took)
		}
	})
}

// What comes behind a goodbye is nobody's.
func TestAfterGoodbye(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		log, list := s.log("lobby", 1)
		s.say(&wire.Bye{Code: chat.Goodbye}, &wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list)}}, &wire.Entries{Log: log.ID(), First: 1, List: list})
		s.end.Close()
		<-s.done
		if len(n.order) != 0 {
			t.Error("an entry behind a goodbye was taken")
		}
	})
}

// Who finds that both have the same may send what is new at once: the log is here, though this side does not know yet that the other has it.
func TestEntriesOfALogThatIsHere(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		first := w.stranger(n, 99)
		log, list := first.log("lobby", 2)
		first.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list[:1])}}, &wire.Entries{Log: log.ID(), First: 1, List: list[:1]})
		w.settle(time.Second)
		first.say(&wire.Bye{Code: chat.Goodbye})
		<-first.done
		first.end.Close()
		again := w.stranger(n, 99)
		again.say(&wire.Entries{Log: log.ID(), First: 2, List: list[1:]})
		w.settle(time.Second)
		if head, _ := n.HeadOf(log.ID(), true); head.Seq != 2 || len(n.order) != 2 {
			t.Errorf("the head is %d: %q", head.Seq, n.order)
		}
		again.end.Close()
		<-again.done
		if again.err != nil {
			t.Error(again.err)
		}
	})
}

// Who is admitted and claims again and again to have more of the node's own logs has it begin new ones once: more takes entries that it has signed.
func TestClaimsOfOwnLogs(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		n.say("lobby", "hello")
		n.mesh.Found(keyOf(99).ID(), "10.0.1.1:8080") // so that it is known
		if _, err := n.mesh.Admit(keyOf(99).ID().String(), wire.AdmitIt); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			s := w.stranger(n, 99)
			log := wire.Log{Node: n.key.Public(), Nonce: n.Sharing().Nonce, Room: "lobby"}
			s.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{{Log: log, Low: 1, Seq: uint64(900 + i), ID: make([]byte, 16)}}})
			w.settle(time.Second)
			s.say(&wire.Bye{Code: chat.Goodbye})
			<-s.done
			s.end.Close()
		}
		if n.renewed != 1 {
			t.Errorf("new logs were begun %d times", n.renewed)
		}
	})
}
