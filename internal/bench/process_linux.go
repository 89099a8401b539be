package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// processCPU returns the CPU time that a process has used, in user and system mode, of all its threads; pid 0 is this process. It reads the
// process's CPU clock (clock_getcpuclockid(3)): /proc/PID/stat tells the same in steps of 10 ms, which is a tenth of what a short run uses.
func processCPU(pid int) (used time.Duration, ok bool) {
	const processClock = 2 // CPUCLOCK_SCHED, of a process
	var t syscall.Timespec
	clock := uintptr(^pid<<3 | processClock)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// memory is what a process holds, in bytes.
type memory struct {
	resident  int64 // all of it
	anonymous int64 // without what is mapped from files: heap and stacks
	peak      int64 // the most that resident has been
}

// processMemory reads /proc/PID/status (proc_pid_status(5)).
func processMemory(pid int) (m memory, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, false
	}
	m.resident, ok = statusField(text, "VmRSS:")
	m.anonymous, _ = statusField(text, "RssAnon:")
	m.peak, _ = statusField(text, "VmHWM:")
	return m, ok
}

// statusField returns a field that is given in kB.
func statusField(text []byte, name string) (bytesHeld int64, ok bool) {
	for line := range bytes.Lines(text) {
		rest, found := bytes.CutPrefix(line, []byte(name))
		if !found {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return 0, false
		}
		kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
		return kb << 10, err == nil
	}
	return 0, false
}
