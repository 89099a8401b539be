package talk

import (
	"testing"
	"time"

	"chatnode/internal/client"
)

func TestWentOnText(t *testing.T) {
	for want, e := range map[string]client.WentOn{
		"node plant is gone; went on at hall, nothing was lost":           {From: "plant", To: "hall"},
		"node plant is gone; went on at another node, nothing was lost":   {From: "plant", To: "plant"},
		"node plant is gone; went on at hall, 1 room begins anew there":   {From: "plant", To: "hall", Anew: 1},
		"node plant is gone; went on at hall, 12 rooms begin anew there":  {From: "plant", To: "hall", Anew: 12},
		"node cn1aa is gone; went on at plant, 12 rooms begin anew there": {From: "cn1aa", To: "plant", Anew: 12},
	} {
		if got := WentOnText(e); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if got := Sentence(e); got != want {
			t.Errorf("the sentence is %q", got)
		}
	}
}

// TestLate: the times are those of the earliest and of the latest, in whatever order they come.
func TestLate(t *testing.T) {
	clock := func(t time.Time) string { return t.UTC().Format("15:04") }
	ten := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	var l Late
	for i, c := range []struct {
		minute time.Duration
		want   string
	}{
		{5, "1 message from the other side, 10:05"}, {5, "2 messages from the other side, 10:05"}, {17, "3 messages from the other side, 10:05–10:17"},
		{2, "4 messages from the other side, 10:02–10:17"}, {9, "5 messages from the other side, 10:02–10:17"},
	} {
		l.Add(ten.Add(c.minute * time.Minute))
		if got := l.Text(clock); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
	m := &client.Message{Time: ten}
	if got := When(m); got != ten {
		t.Errorf("when: %v", got)
	}
	if m.At = ten.Add(-time.Hour); When(m) != m.At {
		t.Errorf("when it came late: %v", When(m))
	}
}
