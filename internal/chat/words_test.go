package chat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"Deploy FINISHED, 14:02!":      "deploy finished 14 02",
		"café Straße Ångström ﬁne ①":   "cafe straße angstrom fine 1",
		"e\u0301te\u0301":              "ete",
		"node-7.example.com/a_b":       "node 7 example com a b",
		"会議は3時です":                      "会 議 は 3 時 て す",
		"привет МИР":                   "привет мир",
		"a\u200bb \U000e0041 \x00 x\n": "a b x",
		"\xff broken \xc3":             "broken",
	} {
		if got := strings.Join(Words(text), " "); got != want {
			t.Errorf("Words(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMatchWords(t *testing.T) {
	const text = "The Deploy of node-7 has finished: 会議室"
	for query, want := range map[string]bool{
		"":                true,
		"deploy":          true,
		"DEPL":            true, // the beginning of a word
		"ploy":            false,
		"finished deploy": true, // in any order
		"node-7":          true,
		"node-8":          false,
		"7-node":          false, // what stands together is found together
		"deploy failed":   false,
		"議室":              true,
		"室議":              false,
		"... deploy":      true,
	} {
		if got := MatchWords(Words(text), QueryTerms(query)); got != want {
			t.Errorf("%q finds it: %v, want %v", query, got, want)
		}
	}
}

func TestQueryTerms(t *testing.T) {
	want := [][]string{{"node", "7"}, {"x"}}
	if diff := cmp.Diff(want, QueryTerms(" node-7  - X ")); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
}

func FuzzWords(f *testing.F) {
	f.Add("The Déploy of node-7", "depl")
	f.Add("会議室\xff", "\u0301")
	f.Fuzz(func(t *testing.T, text, query string) {
		for _, w := range Words(text) {
			if w == "" || len(Words(w)) != 1 || Words(w)[0] != w {
				t.Errorf("%q is a word of %q, and its own words are %q", w, text, Words(w))
			}
		}
		if !MatchWords(Words(text), QueryTerms(strings.Join(Words(text), " "))) {
			t.Errorf("%q does not find itself", text)
		}
		MatchWords(Words(text), QueryTerms(query))
		plain := strings.Map(func(r rune) rune { return ' ' + r%('~'-' ') }, text)
		if a, b := Words(plain), Words(plain+"\n"); strings.Join(a, "|") != strings.Join(b, "|") { // the second is not plain
			t.Errorf("words of %q are %q, and those of the same with a newline %q", plain, a, b)
		}
	})
}
