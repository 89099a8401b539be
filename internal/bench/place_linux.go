package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// fileSystem returns the type of the file system that dir is on, empty when that is not known. It reads /proc/self/mountinfo (proc_pid_mountinfo(5)),
// where it takes the mount point nearest to dir, the last of several on one place.
func fileSystem(dir string) string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return mountedAt(table, dir)
}

func mountedAt(table []byte, dir string) (kind string) {
	const pointAt = 4
	nearest := -1
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range bytes.Lines(table) {
		mount, device, found := strings.Cut(string(line), " - ")
		fields, what := strings.Fields(mount), strings.Fields(device)
		if !found || len(fields) <= pointAt || len(what) == 0 {
			continue
		}
		point := strings.TrimSuffix(unescape.Replace(fields[pointAt]), "/")
		if len(point) >= nearest && (dir == point || strings.HasPrefix(dir, point+"/")) {
			nearest, kind = len(point), what[0]
		}
	}
	return kind
}
