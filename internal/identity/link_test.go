package identity

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fixedToken = "AAECAwQFBgcICQoLDA0ODw"

func fixedLink(t testing.TB) *Link {
	return &Link{Address: "10.0.0.5:8080", Room: "ops", Node: fixedKey(t).ID(), Token: seed()[:TokenLen]}
}

func TestLinkText(t *testing.T) {
	link := fixedLink(t)
	for want, change := range map[string]func(*Link){
		"chatnode://10.0.0.5:8080/ops?node=" + fixedText + "&t=" + fixedToken:         func(*Link) {},
		"chatnode://10.0.0.5:8080/?node=" + fixedText + "&t=" + fixedToken:            func(l *Link) { l.Room = "" },
		"chatnode://10.0.0.5:8080/ops?node=" + fixedText:                              func(l *Link) { l.Token = nil },
		"chatnode://[2001:db8::5]:8080/ops?node=" + fixedText + "&t=" + fixedToken:    func(l *Link) { l.Address = "[2001:db8::5]:8080" },
		"chatnode://[fe80::1%25eth0]:8080/ops?node=" + fixedText + "&t=" + fixedToken: func(l *Link) { l.Address = "[fe80::1%eth0]:8080" },
		"chatnode://10.0.0.5:8080/k%C3%BCche?node=" + fixedText + "&t=" + fixedToken:  func(l *Link) { l.Room = "küche" },
		"chatnode://plant.example:1/a.b_c-d?node=" + fixedText + "&t=" + fixedToken:   func(l *Link) { l.Address, l.Room = "plant.example:1", "a.b_c-d" },
		"chatnode://10.0.0.5:65535/%E9%83%A8?node=" + fixedText + "&t=" + fixedToken:  func(l *Link) { l.Address, l.Room = "10.0.0.5:65535", "部" },
	} {
		l := *link
		change(&l)
		if got := l.String(); got != want {
			t.Errorf("text %s, want %s", got, want)
		}
		back, err := ParseLink(want)
		if diff := cmp.Diff(&l, back); diff != "" || err != nil {
			t.Errorf("%s: %v, mismatch (-want +got):\n%s", want, err, diff)
		}
	}
}

func TestParseLinkForgives(t *testing.T) {
	want := fixedLink(t)
	for name, text := range map[string]string{
		"white space":     "\n  " + want.String() + "\r\n",
		"capitals":        strings.NewReplacer("chatnode", "ChatNode", fixedText, strings.ToUpper(fixedText)).Replace(want.String()),
		"grouped id":      strings.Replace(want.String(), fixedText, want.Node.Grouped(), 1),
		"later additions": want.String() + "&v=2&v=3&node2=x",
		"other order":     "chatnode://10.0.0.5:8080/ops?t=" + fixedToken + "&node=" + fixedText,
		"escaped plainly": strings.Replace(want.String(), "ops", "%6f%70s", 1),
	} {
		got, err := ParseLink(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, mismatch (-want +got):\n%s", name, err, diff)
		}
	}
	if got, err := ParseLink("chatnode://PLANT:08080?node=" + fixedText); err != nil || got.Address != "plant:8080" || got.Room != "" || got.Token != nil {
		t.Errorf("without a path: %+v, %v", got, err)
	}
}

func TestParseLinkRefuses(t *testing.T) {
	good := fixedLink(t).String()
	swap := func(old, now string) string { return strings.Replace(good, old, now, 1) }
	for name, tt := range map[string]struct{ text, says string }{
		"nothing":             {"", "begins with chatnode://"},
		"another scheme":      {swap("chatnode", "https"), "begins with chatnode://"},
		"no scheme":           {"10.0.0.5:8080", "begins with chatnode://"},
		"too long":            {good + "&x=" + strings.Repeat("x", maxLink), "at most 1024 bytes"},
		"control":             {swap("ops", "o\x1bps"), "characters"},
		"newline":             {swap("?", "?\n"), "characters"},
		"space":               {swap("ops", "o ps"), "characters"},
		"right to left":       {swap("ops", "o\u202eps"), "characters"},
		"not UTF-8":           {swap("ops", "o\xffps"), "characters"},
		"user":                {swap("10.", "bob@10."), "damaged"},
		"user and password":   {swap("10.", "bob:x@10."), "damaged"},
		"fragment":            {good + "#top", "damaged"},
		"empty fragment":      {good + "#", "damaged"},
		"half an escape":      {swap("ops", "o%p"), "damaged"},
		"half in the query":   {swap("node=", "node=%z"), "damaged"},
		"semicolon":           {swap("&", ";"), "damaged"},
		"no port":             {swap(":8080", ""), "host and port"},
		"no host":             {swap("10.0.0.5", ""), "host and port"},
		"port 0":              {swap("8080", "0"), "host and port"},
		"great port":          {swap("8080", "65536"), "host and port"},
		"port by name":        {swap("8080", "http"), "damaged"},
		"bare IPv6":           {swap("10.0.0.5", "2001:db8::5"), "host and port"},
		"host with a #":       {swap("10.0.0.5", "pl%23ant"), "damaged"},
		"long host":           {swap("10.0.0.5", strings.Repeat("a", 254)), "host and port"},
		"room in capitals":    {swap("ops", "OPS"), "room"},
		"conversation":        {swap("ops", "@bob"), "room"},
		"two rooms":           {swap("ops", "ops/lab"), "room"},
		"a slash in disguise": {swap("ops", "ops%2flab"), "room"},
		"up and away":         {swap("ops", "../etc"), "room"},
		"escaped control":     {swap("ops", "o%1bps"), "room"},
		"no node":             {"chatnode://10.0.0.5:8080/ops?t=" + fixedToken, "quotes"},
		"no query":            {"chatnode://10.0.0.5:8080/ops", "quotes"},
		"node twice":          {good + "&node=" + fixedText, "twice"},
		"token twice":         {good + "&t=" + fixedToken, "twice"},
		"node mistyped":       {swap("ubiig", "ubigi"), "mistake"},
		"short token":         {good[:len(good)-1], "22 letters"},
		"long token":          {good + "A", "22 letters"},
		"padded token":        {good + "==", "22 letters"},
		"stray bits":          {good[:len(good)-1] + "x", "22 letters"},
		"no token after all":  {swap(fixedToken, ""), "22 letters"},
		"token of ends":       {swap(fixedToken, "%0a"+fixedToken), "22 letters"},
	} {
		link, err := ParseLink(tt.text)
		if link != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v; want an error with %q", name, link, err, tt.says)
		} else if strings.Contains(err.Error(), fixedToken[:8]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add(fixedLink(f).String())
	f.Add("chatnode://[fe80::1%25eth0]:8080/k%C3%BCche?node=" + fixedText)
	f.Add("chatnode://%c3%ab:1/?node=" + fixedText + "&t=")
	f.Fuzz(func(t *testing.T, text string) {
		link, err := ParseLink(text)
		if err != nil {
			return
		}
		if address, err := NormalAddress(link.Address); err != nil || address != link.Address {
			t.Errorf("the address %q is %q, %v", link.Address, address, err)
		}
		again, err := ParseLink(link.String())
		if err != nil || again.Address != link.Address || again.Room != link.Room || again.Node != link.Node || !bytes.Equal(again.Token, link.Token) {
			t.Errorf("%q is %+v, and as text %q, which is %+v, %v", text, link, link, again, err)
		}
	})
}
