// Package sim runs many nodes at once, in one process and in the time of a bubble, and breaks what can break between and below them: links are slow, cut one
// way or both, or torn; nodes crash in the middle of a commit, come back from an old copy of their store, join late, and lie. Then it looks whether what is
// promised holds. Only tests import it.
//
// A run is made of a seed. What is done, and when, follows from it; which of two goroutines runs first does not, so a seed that fails may have to be run
// some times until it fails again.
package sim
