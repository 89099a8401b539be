package chat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		name string
		yes  []string
		no   []string
	}{
		{"carol", []string{
			"carol", "Carol", "CAROL!", "hi carol", "@carol", "carol: hi", "carol's turn", "carol’s turn", "(carol)", "bob,carol,eve", "carol.", "carol...", "--carol", "_carol_", "**carol**",
			"a\ncarol\nb", "carol/bob", "cárol", "caro\u0301l", "ｃａｒｏｌ", "carolさん", "carol-さん", "é carol é", "xcarol carol", "caroline, carol", "carol~", "ask carol\x00", "\xffcarol\xff",
		}, []string{
			"", "caroline", "xcarol", "caro", "carol7", "7carol", "carol-ann", "ann-carol", "carol_x", "carol.example.com", "carol~7q2f: hi", "c arol", "ca\nrol", "carоl", "carolé", "écarol", "carol\u0903",
		}},
		{"carol~7q2f", []string{"carol~7q2f: hi", "carol: hi", "CAROL~7Q2F", "xcarol, carol"}, []string{"carol~9abc", "7q2f", "caroline~7q2f", "carol~7q2fx"}},
		{"Zoë", []string{"zoe", "ZOË?", "Zoe\u0308"}, []string{"zoea", "zo"}},
		{"a.b-c_d", []string{"a.b-c_d", "@A.B-C_D:"}, []string{"a b c d", "a.b-c_d-e", "x.a.b-c_d"}},
		{"carol_", []string{"carol_: hi", "carol_"}, []string{"carol", "carol_x"}},
		{"Αλέξης", []string{"ΑΛΈΞΗΣ", "αλεξησ", "Αλέξης;"}, []string{"Αλέξηςα"}},
		{"Дмитрий", []string{"дмитрий", "Дмитрии"}, []string{"Дмитрийа"}},
		{"田中", []string{"田中さんは", "今日田中", "田中"}, []string{"田", "中田"}},
		{"ああ", []string{"あああ"}, []string{"あ"}},
		{"สมชาย", []string{"คุณสมชายครับ"}, []string{"สมช"}},
		{"कमल", []string{"कमल,"}, []string{"कमला"}},
		{"two words", []string{"so two words here", "TWO WORDS"}, []string{"two  words", "two wordsmiths", "stwo words"}},
		{"C++", []string{"C++17 is c++", "c++"}, []string{"abc++", "c+"}},
		{"", nil, []string{"", "anything"}},
		{"...", nil, []string{"...", "a...b"}},
		{"\u0301", nil, []string{"\u0301", "a\u0301"}},
		{"\xff", nil, []string{"\xff", " "}},
		{strings.Repeat("x", maxMention+1), nil, []string{strings.Repeat("x", maxMention+1)}},
	} {
		for _, text := range c.yes {
			if !Mentions(text, c.name) {
				t.Errorf("%q does not mention %q", text, c.name)
			}
		}
		for _, text := range c.no {
			if Mentions(text, c.name) {
				t.Errorf("%q mentions %q", text, c.name)
			}
		}
	}
}

func FuzzMentions(f *testing.F) {
	for _, c := range [][2]string{{"hi carol", "carol"}, {"carol~7q2f: hi", "carol"}, {"田中さん", "田中"}, {"a\u0301\xff", "\u0301"}, {"ς", "Σ"}, {"ﷺ", "ص"}, {"x", "ŀ"}, {"x", "ͺ"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		Mentions(text, name)
		if !ValidName(name) || strings.IndexFunc(foldText(name), isOfWord) < 0 { // such as ͺ, which is compatible with an accent alone
			return
		}
		// Whatever stands on other lines, and however the name is written.
		if utf8.ValidString(text) && !Mentions(text+"\n@"+name+": "+text, name) {
			t.Errorf("%q is not mentioned beside %q", name, text)
		}
		if suffixed := name + SuffixMark + "7q2f"; !Mentions(name, suffixed) || !Mentions(suffixed, suffixed) || Mentions(suffixed, name) {
			t.Errorf("%q and its suffix: %v %v %v", name, Mentions(name, suffixed), Mentions(suffixed, suffixed), Mentions(suffixed, name))
		}
		// A letter such as ŀ is compatible with one and a dot, behind which a word ends.
		if last, _ := utf8.DecodeLastRuneInString(foldText(name)); isOfWord(last) && !isSpaceless(last) && Mentions(name+"x7", name) {
			t.Errorf("%q is mentioned by a longer word", name)
		}
	})
}

func BenchmarkMentions(b *testing.B) {
	long := strings.Repeat("every word of it is somebody else's, and carolines are many; ", 130)
	for name, text := range map[string]string{"short": "the build of node-7 is green again, carol", "long": long, "accents": strings.ReplaceAll(long, "e", "é"), "hits": strings.Repeat("xcarol", 1300)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Mentions(text, "carol")
			}
		})
	}
}
