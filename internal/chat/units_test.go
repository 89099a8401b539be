package chat

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "1h10m": 70 * time.Minute, "30d": 720 * time.Hour, "2w": 336 * time.Hour,
		"250ms": 250 * time.Millisecond, "1.5h": 90 * time.Minute, "2.3s": 2300 * time.Millisecond, "1d12h": 36 * time.Hour, ".5s": 500 * time.Millisecond,
		"1.001s": 1001 * time.Millisecond, "0.29h": 1044 * time.Second, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1", "1x", "1..2s", "-1s", "+1s", "s", "1 s", " 1s", "1s ", "1h-10m", "1h10", "10m1", "1e3s", "0x1s", "1,5s", "∞", "NaNs", "1S", "1µs",
		"106752d", "99999999999999999999s", strings.Repeat("9", 400) + "s", "1s\x00", "..s", ".s",
	} {
		if got, err := ParseDuration(text); got != 0 || err == nil || !strings.Contains(err.Error(), "90s") {
			t.Errorf("ParseDuration(%q) = %v, %v; want an error with an example", text, got, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512b": 512, "64KB": 64 << 10, "64kib": 64 << 10, "1GB": 1 << 30, "1.5MiB": 3 << 19, "2TB": 2 << 40, "1gb512mb": 3 << 29,
		"8000000TB": 8_000_000 << 40,
	} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-5", "-5KB", "KB", "5 KB", "5XB", "1..2KB", "9999999TB", "9223372036854775808", "9223372036854775807", "1e3", "0x10", "5K"} {
		if got, err := ParseSize(text); got != 0 || err == nil {
			t.Errorf("ParseSize(%q) = %d, %v; want an error", text, got, err)
		}
	}
}

func TestFormat(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "90d": 90 * 24 * time.Hour, "1d1h10m1s1ms": 25*time.Hour + 10*time.Minute + time.Second + time.Millisecond, "250ms": 250*time.Millisecond + 7,
		"106751d23h47m16s854ms": math.MaxInt64,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%d is formatted %q, want %q", d, got, want)
		}
		if back, err := ParseDuration(want); err != nil || (back-d).Abs() >= time.Millisecond {
			t.Errorf("%q reads %v, %v", want, back, err)
		}
	}
	for want, n := range map[string]int64{"0B": 0, "1B": 1, "1000B": 1000, "1KB": 1024, "1536MB": 3 << 29, "1GB": 1 << 30, "2TB": 2 << 40, "4096TB": 1 << 52} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d is formatted %q, want %q", n, got, want)
		}
		if back, err := ParseSize(want); err != nil || back != n {
			t.Errorf("%q reads %d, %v", want, back, err)
		}
	}
	for want, k := range map[string]struct {
		set  bool
		age  time.Duration
		size int64
	}{
		"as long as the node keeps any room": {false, time.Hour, 5}, "for ever": {true, 0, 0}, "for 90d": {true, 90 * 24 * time.Hour, 0},
		"up to 1GB": {true, 0, 1 << 30}, "for 1h, up to 1KB": {true, time.Hour, 1024},
	} {
		if got := FormatKeep(k.set, k.age, k.size); got != want {
			t.Errorf("%+v is kept %q, want %q", k, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"90s", "1h10m", "30d", "1..2s", "-1s", "9223372036s", "0.0000000001s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		size, sizeErr := ParseSize(text)
		if d < 0 || size < 0 || err != nil && d != 0 || sizeErr != nil && size != 0 {
			t.Fatalf("%q: %v, %v; %d, %v", text, d, err, size, sizeErr)
		}
		if strings.ContainsAny(text, "dw") || err != nil {
			return
		}
		// Where both know a text, the standard library is right to the nanosecond or the precision of a float.
		if std, stdErr := time.ParseDuration(text); stdErr == nil && math.Abs(float64(std-d)) > 2+math.Abs(float64(std))*1e-15 {
			t.Fatalf("%q is %v, the standard library says %v", text, d, std)
		}
	})
}
