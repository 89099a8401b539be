//go:build !linux

package trial

import (
	"errors"
	"os/exec"
)

// endWithParent does nothing: only Linux can.
func endWithParent(*exec.Cmd) {}

const noLimit = 0

func limitFiles(uint64) error { return errors.ErrUnsupported }

func openFiles() int { return 0 }

func mostMemory() int64 { return 0 }

func forgetMemory() {}

func memory(int) (int64, bool) { return 0, false }

func mount(string, int) (func() error, error) { return nil, errors.ErrUnsupported }
