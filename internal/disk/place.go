package disk

import (
	"os"
	"path/filepath"
	"runtime"
)

// program is the folder that chatnode's files have to themselves in each place.
const program = "chatnode"

// ConfigDir returns where settings and keys belong: $XDG_CONFIG_HOME/chatnode, or what the system has in its place.
func ConfigDir() (string, error) { return place("XDG_CONFIG_HOME", ".config", "config") }

// DataDir returns where a node's store belongs: $XDG_DATA_HOME/chatnode, or what the system has in its place.
func DataDir() (string, error) { return place("XDG_DATA_HOME", ".local/share", "data") }

// StateDir returns where a client keeps what it has to remember: $XDG_STATE_HOME/chatnode, or what the system has in its place.
func StateDir() (string, error) { return place("XDG_STATE_HOME", ".local/state", "state") }

// place follows the XDG Base Directory Specification 0.8: the variable when it holds an absolute path, else a folder in the home folder. macOS
// and Windows have one folder for the settings of each program; there what would be three folders are three in it.
func place(variable, atHome, inOne string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, program), nil
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, program, inOne), err
	}
	dir, err := os.UserHomeDir()
	return filepath.Join(dir, filepath.FromSlash(atHome), program), err
}
