// Package sim runs many nodes at once, in one process and in the time of a bubble, and breaks what can break between and below them: links are slow, cut one
// way or both, or torn; nodes crash in the middle of a commit, come back from an old copy of their store, join late, forget what is old; others come and lie.
// Then nothing is broken any more, all have to come to have the same in bounded time, and it looks whether what is promised holds. Only tests import it.
//
// A run is made of a seed. What is done, and when, follows from it; which of two goroutines runs first does not, so a seed that fails may have to be run
// some times until it fails again.
//
// What is promised, and where that is looked at:
//
//	P1   every stored entry, and act, is signed and says what its hash does      readLog, checkOrder (lamport)
//	P2   a log is 1, 2, 3, …, each with the id of the one before it              readLog
//	P3   an entry is delivered once on each node, and a text shown once          readRows, readLog, checkKept; person.eventLocked for who reads it
//	P4   what an entry builds on stands before it                                checkOrder
//	P5   nodes that rest have the same sets, causal lists, rooms and forks       compare
//	P6   what was acknowledged is kept, whatever crashes                         checkKept; person.attach for who comes back
//	P7   the log of an honest node does not fork                                 checkKept
//	P8   a liar changes nothing but what is thought of it                        checkSeen, checkUnmoved, and all the others
//	P9   what one link costs is bounded                                          conversation.hear; its memory is looked at in package mesh
//	P10  a delivery costs at most three entries                                  TestFifty
//	P11  once nothing is broken any more, all have the same in bounded time      settle
//
// Where stores forget, P5 and P6 are promised of what is still kept, and who comes late may not know who owns a room.
package sim
