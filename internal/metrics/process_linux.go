package metrics

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// readProcess reads /proc, see proc(5).
func readProcess() (p processStats) {
	var usage syscall.Rusage
	var size, resident uint64 // pages
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil || syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return processStats{}
	}
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return processStats{}
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return processStats{}
	}
	return processStats{
		known: true, cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), resident: resident * uint64(os.Getpagesize()),
		files: uint64(max(len(files)-1, 0)), // without the one that lists them
	}
}
