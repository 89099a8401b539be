// Package bench measures.
package bench

import (
	"context"
	"errors"
	"io"
)

// ErrUsage marks a mistake in the command line.
var ErrUsage = errors.New("usage")

// Main runs.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error { return ErrUsage }
