//go:build race

package sim

const (
	defaultSeeds = 4
	isRace       = true
)
