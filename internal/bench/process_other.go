//go:build !linux

package bench

import "time"

// processCPU is known on Linux alone; so is processMemory.
func processCPU(int) (used time.Duration, ok bool) { return 0, false }

type memory struct{ resident, anonymous, peak int64 }

func processMemory(int) (m memory, ok bool) { return memory{}, false }
