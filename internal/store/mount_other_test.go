//go:build !linux

package store

import "testing"

func mounted(t *testing.T, _, _ string) string {
	t.Helper()
	t.Skip("can't mount here")
	return ""
}

func remount(t *testing.T, _ string) {
	t.Helper()
	t.Skip("can't mount here")
}
