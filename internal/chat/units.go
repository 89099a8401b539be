package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration as people type them: 90s, 1h10m, 30d, 250ms, or a bare 0. Units are ms, s, m, h, d and w; a day is
// 24 hours. It returns an error for anything else, for a negative one and for what does not fit.
func ParseDuration(s string) (time.Duration, error) {
	units := []unit{{"ms", float64(time.Millisecond)}, {"s", float64(time.Second)}, {"m", float64(time.Minute)}, {"h", float64(time.Hour)}, {"d", 24 * float64(time.Hour)}, {"w", 7 * 24 * float64(time.Hour)}}
	v, err := parseUnits(s, units)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 90s, 1h10m or 30d", s)
	}
	return time.Duration(v), nil
}

// ParseSize reads a number of bytes as people type them: 512, 64KB, 1GB, 1.5MiB. KB and KiB are both 1,024 bytes.
func ParseSize(s string) (int64, error) {
	units := []unit{{"b", 1}, {"kb", 1 << 10}, {"kib", 1 << 10}, {"mb", 1 << 20}, {"mib", 1 << 20}, {"gb", 1 << 30}, {"gib", 1 << 30}, {"tb", 1 << 40}, {"tib", 1 << 40}}
	if _, err := strconv.ParseInt(s, 10, 64); err == nil {
		s += "b"
	}
	v, err := parseUnits(strings.ToLower(s), units)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size such as 64KB or 1GB", s)
	}
	return int64(v), nil
}

// FormatDuration returns d as ParseDuration reads it, "90d" or "1h10m"; what is below a millisecond is left out.
func FormatDuration(d time.Duration) string {
	text := ""
	for _, u := range []unit{{"d", float64(24 * time.Hour)}, {"h", float64(time.Hour)}, {"m", float64(time.Minute)}, {"s", float64(time.Second)}, {"ms", float64(time.Millisecond)}} {
		size := time.Duration(u.size)
		if n := d / size; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + u.name
			d -= n * size
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}

// FormatSize returns a number of bytes as ParseSize reads it, in the largest unit that needs no fraction: "1GB", "1536MB".
func FormatSize(n int64) string {
	name := "B"
	for _, larger := range []string{"KB", "MB", "GB", "TB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, name = n/1024, larger
	}
	return strconv.FormatInt(n, 10) + name
}

// FormatKeep says how much of a room is kept, as the end of a sentence that begins with "kept": as old as age, the newest size bytes, 0
// being no bound of that kind; unless set, that is left to the node.
func FormatKeep(set bool, age time.Duration, size int64) string {
	switch {
	case !set:
		return "as long as the node keeps any room"
	case age == 0 && size == 0:
		return "for ever"
	case size == 0:
		return "for " + FormatDuration(age)
	case age == 0:
		return "up to " + FormatSize(size)
	}
	return "for " + FormatDuration(age) + ", up to " + FormatSize(size)
}

type unit struct {
	name string
	size float64
}

// parseUnits adds up a sequence of numbers, each followed by its unit.
func parseUnits(s string, units []unit) (float64, error) {
	if s == "0" {
		return 0, nil
	}
	total := 0.0
	for rest := s; rest != "" || s == ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, err
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		size := 0.0
		for _, u := range units {
			if u.name == rest[:letters] {
				size = u.size
			}
		}
		if size == 0 {
			return 0, fmt.Errorf("unit %q is not known", rest[:letters])
		}
		rest = rest[letters:]
		total += n * size
	}
	if total >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too much", s)
	}
	return math.Round(total), nil // 1.001 times 1e9 is a little less than 1001000000
}
