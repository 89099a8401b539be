//go:build race

package store

// raceEnabled says that tests take ten times as long: those of sizes are left to the others.
const raceEnabled = true
