//go:build !linux

package metrics

func readProcess() processStats { return processStats{} }
