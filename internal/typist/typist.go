// Package typist is for tests alone: somebody who sits at a terminal, types, and reads what stands on the screen.
package typist

import _ "github.com/creack/pty"
