package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

func TestParseHistory(t *testing.T) {
	for text, want := range map[string]HistoryQuery{
		"":                            {N: 50},
		"20":                          {N: 20},
		"500":                         {N: 500},
		"before 120":                  {N: 50, Before: 120},
		"20 before 120":               {N: 20, Before: 120},
		"before 120 20":               {N: 20, Before: 120},
		"since 2h":                    {N: 500, Since: 2 * time.Hour},
		"since 1d12h 5 before 7":      {N: 5, Before: 7, Since: 36 * time.Hour},
		"before 18446744073709551615": {N: 50, Before: 1<<64 - 1},
		"since 106751d":               {N: 500, Since: 106751 * 24 * time.Hour},
	} {
		q, err := parseHistory(text)
		if q != want || err != nil {
			t.Errorf("%q is %+v, %v; want %+v", text, q, err, want)
		}
		on, isCommand := strings.CutPrefix(q.command(99), "/history ")
		next, err := parseHistory(on)
		if want.Before = 99; !isCommand || next != want || err != nil {
			t.Errorf("%q goes on with %q, which is %+v, %v; want %+v", text, on, next, err, want)
		}
	}
	for _, text := range []string{
		"0", "-1", "501", "x", "1.5", "before", "before 0", "before -1", "before x", "before 18446744073709551616", "since", "since 0", "since 2", "since -2h",
		"since yesterday", "5 6", "before 1 before 2", "since 1h since 2h", "Before 5", "5\x00", "since \xff", "99999999999999999999",
	} {
		q, err := parseHistory(text)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Reason != BadUsage || !strings.Contains(wrong.Text, "usage: /history [N | before SEQ | since 2h | causal ROOM]") || chat.OneLine(wrong.Text) != wrong.Text {
			t.Errorf("%q is %+v, %v; want the usage", text, q, err)
		}
	}
}

func TestParseSearch(t *testing.T) {
	for text, want := range map[string]SearchQuery{
		"deploy":                              {Words: "deploy"},
		"  deploy \t failed ":                 {Words: "deploy failed"},
		"deploy in ops":                       {Words: "deploy", Room: "ops"},
		"deploy in #OPS from @Bob":            {Words: "deploy", Room: "ops", From: "Bob"},
		"deploy from bob in ops before 1234":  {Words: "deploy", Room: "ops", From: "bob", Before: 1234},
		"deploy before 7":                     {Words: "deploy", Before: 7},
		"deploy in @bob":                      {Words: "deploy", Room: "@bob"},
		"from bob":                            {From: "bob"},
		"from bob in ops":                     {From: "bob", Room: "ops"},
		"in":                                  {Words: "in"},
		"in the room":                         {Words: "in the room"},
		"made in china today":                 {Words: "made in china today"},
		"lost in Paris!":                      {Words: "lost in Paris!"},
		"see you before lunch":                {Words: "see you before lunch"},
		"before 0 in @":                       {Words: "before 0 in @"},
		"x in ops in lobby":                   {Words: "x in ops", Room: "lobby"},
		"x from bob in ops in lobby":          {Words: "x from bob in ops", Room: "lobby"},
		"in from bob":                         {Words: "in", From: "bob"},
		strings.Repeat("x", 256) + " in ops":  {Words: strings.Repeat("x", 256), Room: "ops"},
		"x from " + strings.Repeat("y", 1000): {Words: "x from " + strings.Repeat("y", 1000)},
	} {
		q, err := parseSearch(text)
		if len(want.Words) > chat.MaxQuery {
			if err == nil {
				t.Errorf("%.20q…: %+v, want an error", text, q)
			}
			continue
		}
		if q != want || err != nil {
			t.Errorf("%q is %+v, %v; want %+v", text, q, err, want)
		}
	}
	for _, text := range []string{"", " ", "in ops", "before 5", "in ops before 5", strings.Repeat("x", 257)} {
		var wrong *Error
		if q, err := parseSearch(text); !errors.As(err, &wrong) || wrong.Reason != BadUsage || !strings.Contains(wrong.Text, "usage: /search WORDS") {
			t.Errorf("%q is %+v, %v; want the usage", text, q, err)
		}
	}
}

// FuzzSearch: the line that asks for the next page asks for the same as the first.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"deploy in ops from bob before 5", "x in y in z", "from from from", "in in in in", "x in @\xff", "\u2003in ops"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseSearch(text)
		if err != nil {
			return
		}
		call, err := Parse(q.command() + " before 99")
		if err != nil {
			t.Fatalf("%q goes on with %q: %v", text, q.command(), err)
		}
		next, err := parseSearch(call.Args[0])
		if q.Before = 99; err != nil || next != q {
			t.Fatalf("%q goes on with %+v, %v; want %+v", text, next, err, q)
		}
	})
}

func TestParseKeep(t *testing.T) {
	for text, want := range map[string]*Keep{
		"": nil, "all": {Set: true}, "default": {}, "90d": {Set: true, Age: 90 * 24 * time.Hour}, "1GB": {Set: true, Size: 1 << 30},
		"90d 1gb": {Set: true, Age: 90 * 24 * time.Hour, Size: 1 << 30}, "1.5MB 2w": {Set: true, Age: 14 * 24 * time.Hour, Size: 3 << 19},
	} {
		if k, err := parseKeep(text); err != nil || !cmp.Equal(k, want) {
			t.Errorf("%q is %+v, %v; want %+v", text, k, err, want)
		}
	}
	for _, text := range []string{"90", "0", "0d", "0GB", "90 d", "90d 30d", "1GB 2GB", "all 90d", "90d default", "for ever", "-1d", "1XB", "90d 1GB 5", "all all", "\x1b[2J"} {
		var wrong *Error
		if k, err := parseKeep(text); !errors.As(err, &wrong) || wrong.Reason != BadUsage || !strings.Contains(wrong.Text, "usage: /keep") || chat.OneLine(wrong.Text) != wrong.Text {
			t.Errorf("%q is %+v, %v; want the usage", text, k, err)
		}
	}
}

func TestLinesOfTheLog(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	said := []Said{
		{Room: "ops", Seq: 118, Name: "carol", Kind: chat.Text, Time: at, Text: "hi"},
		{Room: "ops", Seq: 119, Name: "bob", Kind: chat.Action, Time: at, Text: "waves"},
		{Room: "@bob", Seq: 2, Name: "bob", Kind: chat.Topic, Time: at, Text: "tea"},
	}
	for _, c := range []struct {
		a    Answer
		want []string
	}{
		{HistoryAnswer{Room: "ops", Query: HistoryQuery{N: 50}, Said: said[:2], More: true}, []string{"2 messages of #ops:", "  2026-11-22 15:04 118 carol: hi", "  2026-11-22 15:04 119 * bob waves", "  more: /history before 118"}},
		{HistoryAnswer{Room: "ops", Query: HistoryQuery{N: 1}, Said: said[:1]}, []string{"1 message of #ops:", "  2026-11-22 15:04 118 carol: hi"}},
		{HistoryAnswer{Room: "@bob", Query: HistoryQuery{N: 50, Before: 7, Since: time.Hour}}, []string{"@bob has no messages before 7 of the last 1h"}},
		{SearchAnswer{Query: SearchQuery{Words: "hi you", Room: "ops"}, Hits: said, Next: 44, Behind: 1}, []string{
			"3 messages found, the newest first:", "  2026-11-22 15:04 #ops 118 carol: hi", "  2026-11-22 15:04 #ops 119 * bob waves", "  2026-11-22 15:04 @bob 2 -- bob set the topic: tea",
			"  more: /search hi you in ops before 44", "  the last 1 message can't be found yet"}},
		{SearchAnswer{Query: SearchQuery{From: "bob"}, Next: 9}, []string{"nothing found so far", "  more: /search from bob before 9"}},
		{SearchAnswer{Behind: 1 << 63}, []string{"nothing found", "  the last 2147483647 messages can't be found yet"}},
		{KeepAnswer{Room: "ops", Keep: Keep{Set: true, Age: time.Hour}}, []string{"#ops is kept for 1h"}},
	} {
		if diff := cmp.Diff(c.want, c.a.Lines(time.UTC)); diff != "" {
			t.Errorf("%T mismatch (-want +got):\n%s", c.a, diff)
		}
	}
}
