package talk

import (
	"strings"
	"testing"
	"unicode/utf8"

	"chatnode/internal/screen"

	"rsc.io/qr"
)

// TestQR reads the code back from the lines, module by module: nothing of it is lost, and its margin is empty.
func TestQR(t *testing.T) {
	link := "chatnode://192.168.1.5:8080/ops?node=cn1-ubiig7mf-a4cyfthx-hffqtcee-ptbrfs4i-ewnyssez-63zdttyx-sgszog3u&t=AAAAAAAAAAAAAAAAAAAAAA"
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	side := code.Size + 2*quiet
	lines := QR(link)
	black := map[rune][2]bool{' ': {}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n != side {
			t.Fatalf("line %d has %d columns, want %d", i, n, side)
		}
		x := -quiet
		for _, r := range line {
			halves, known := black[r]
			for half, is := range halves {
				if y := 2*i - quiet + half; !known || is != code.Black(x, y) {
					t.Fatalf("column %d of line %d is %q, and the code has black %v there", x, i, r, code.Black(x, y))
				}
			}
			x++
		}
	}
	if len(lines) != (side+1)/2 {
		t.Errorf("%d lines for %d rows", len(lines), side)
	}
}

func TestQROfAnything(t *testing.T) {
	if got := QR(strings.Repeat("x", 5000)); got != nil {
		t.Error("it draws what no code can hold")
	}
	for _, a := range screen.Attacks {
		if _, found := screen.Read(strings.Join(QR(a.Text), "\n") + "\n"); len(found) > 0 {
			t.Errorf("%s: a terminal found %q", a.Name, found)
		}
	}
}
