package chat

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestValidName(t *testing.T) {
	tests := map[string]struct {
		name string
		want bool
	}{
		"plain":               {"carol", true},
		"one letter":          {"c", true},
		"capitals":            {"Carol", true},
		"digit first":         {"7of9", true},
		"punctuation":         {"c.a-r_ol", true},
		"accents":             {"Zoë", true},
		"Greek":               {"Νίκος", true},
		"Han":                 {"小林", true},
		"Devanagari":          {"हिन्दी", true},
		"Tamil":               {"தமிழ்", true},
		"enclosing mark":      {"a\u20dd", false},
		"non-spacing mark":    {"x̌y", true},
		"24 letters":          {strings.Repeat("é", MaxName), true},
		"25 letters":          {strings.Repeat("e", MaxName+1), false},
		"megabyte":            {strings.Repeat("e", 1<<20), false},
		"empty":               {"", false},
		"dot first":           {".carol", false},
		"hyphen first":        {"-carol", false},
		"mark first":          {"\u0301carol", false},
		"space":               {"car ol", false},
		"suffix":              {"carol~7q2f", false},
		"direct mark":         {"@carol", false},
		"room mark":           {"#carol", false},
		"slash":               {"a/b", false},
		"backslash":           {`a\b`, false},
		"colon":               {"a:b", false},
		"newline":             {"carol\n", false},
		"escape":              {"carol\x1b[2J", false},
		"nul":                 {"carol\x00", false},
		"C1":                  {"carol\u009b", false},
		"not UTF-8":           {"carol\xff", false},
		"not NFC":             {"Zoe\u0308", false},
		"zero width joiner":   {"ca\u200drol", false},
		"right-to-left":       {"carol\u202e", false},
		"invisible letter":    {"carol\u3164", false},
		"only invisible":      {"\u3164", false},
		"half-width filler":   {"carol\uffa0", false},
		"grapheme joiner":     {"car\u034fol", false},
		"variation selector":  {"carol\ufe0f", false},
		"variation selector2": {"carol\U000e0100", false},
		"emoji":               {"carol😀", false},
		"reserved":            {"server", false},
		"reserved, capitals":  {"SerVer", false},
		"reserved, wide":      {"ｓｅｒｖｅｒ", false},
		"not quite reserved":  {"servers", true},
		"replacement":         {"carol\ufffd", false},

		"Japanese":                  {"山田タロウさん", true},
		"Japanese with Latin":       {"T山田タロー", true},
		"Chinese with Bopomofo":     {"小林ㄅ", true},
		"Korean with Latin and Han": {"Kim金민수", true},
		"Hangul with Kana":          {"민수さん", false},
		"Cyrillic":                  {"Алёна", true},
		"Arabic":                    {"علي", true},
		"Arabic with vowels":        {"مُحَمَّد", true},
		"Hebrew with points":        {"שָׁלוֹם", true},
		"Thai":                      {"น้ำผึ้ง", true},
		"Tibetan":                   {"བསྒྲུབས", true},
		"Burmese":                   {"မြန်မာ", true},
		"Khmer":                     {"ខ្មែរ", true},
		"Vietnamese":                {"Nguyễn", true},
		"Georgian":                  {"ნინო", true},
		"apostrophe":                {"Oʼneil", true},
		"one Cyrillic letter":       {"саrol", false},
		"one Greek letter":          {"cαrol", false},
		"lunate sigma":              {"ϲarol", false}, // Fold takes it for a sigma
		"Latin, then Cyrillic":      {"carolс", false},
		"Cyrillic with Han":         {"Ян小", false},
		"foreign mark":              {"carol\u0940", false},
		"Kana stroke with Latin":    {"Tシャーツ", true},
		"Kana stroke with Cyrillic": {"каーрл", false},
		"two accents":               {"q\u0308\u0301", true},
		"three accents":             {"q\u0316\u0308\u0301", false},
		"three after composition":   {"é\u0316\u0308\u0302", false},
		"one accent twice":          {"q\u0308\u0308", false},
		"five marks of a script":    {"\u0f66\u0f92\u0fb2\u0f92\u0fb2\u0f74", false},
		"dot on i":                  {"i\u0307van", false},
		"dot on q":                  {"q\u0307", true},
		"digits of the script":      {"نور۱۲", true},
		"digits of ASCII":           {"नीना42", true},
		"digits of two systems":     {"नीना4२", false},
		"digits alone":              {"٤٢", false}, // they begin no right-to-left name, RFC 5893
		"mathematical digits":       {"a𝟏𝟗", true},
		"two of them":               {"a𝟏𝟙", false},
		"right-to-left with 7":      {"דני7", true},
		"7 with right-to-left":      {"7דני", false},
		"ends with a hyphen":        {"דני-", false},

		"looks reserved, rn":        {"adrnin", false},
		"looks reserved, Cyrillic":  {"аdmin", false},
		"looks reserved, 0":         {"r00t", false},
		"looks reserved, 1":         {"adm1n", false},
		"looks reserved, l":         {"admlnistrator", false},
		"looks reserved, capital I": {"aIl", false},
		"looks reserved, lunate":    {"сһаtnоdе", false},
		"looks reserved, wholly":    {"һеге", false},
		"Ali":                       {"Ali", true},
		"ali":                       {"ali", true},
		"ALI":                       {"ALI", true},
		"AlI":                       {"AlI", false},
	}
	for name, tt := range tests {
		if got := ValidName(tt.name); got != tt.want {
			t.Errorf("%s: ValidName(%q) = %v, want %v", name, tt.name, got, tt.want)
		}
	}
	for name := range reserved {
		if ValidName(name) || Fold(name) != name {
			t.Errorf("%q can be asked for, or is not folded", name)
		}
	}
}

func TestValidRoom(t *testing.T) {
	for room, want := range map[string]bool{
		"lobby": true, "lobby-2": true, "2nd": true, "日本": true, "straße": true, "server": true, strings.Repeat("r", MaxRoom): true,
		"": false, "Lobby": false, "#lobby": false, "@bob": false, "@": false, "a b": false, "-x": false, "..": false, ".": false, "../etc": false,
		"ops-лаб": false, "лаб": true, "q\u0316\u0308\u0301": false, "lobby\n": false, "ǅ": false, "\u3164": false, strings.Repeat("r", MaxRoom+1): false,
	} {
		if got := ValidRoom(room); got != want {
			t.Errorf("ValidRoom(%q) = %v, want %v", room, got, want)
		}
	}
}

// TestMayBeRoom: rooms that were made when fewer names were refused can still be asked for, and nothing else.
func TestMayBeRoom(t *testing.T) {
	for room, want := range map[string]bool{
		"lobby": true, "ops-лаб": true, "q\u0316\u0308\u0301": true, "7דני": true,
		"": false, "Ops-Лаб": false, "#lobby": false, "@bob": false, "a b": false, "\u202elobby": false, strings.Repeat("r", MaxRoom+1): false,
	} {
		if got := MayBeRoom(room); got != want || ValidRoom(room) && !got {
			t.Errorf("MayBeRoom(%q) = %v, want %v", room, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"carol", "CAROL", "Carol", "ｃａｒｏｌ"},
		{"zoë", "ZOË", "Zoe\u0308"},
		{"νίκος", "ΝΊΚΟΣ", "νίκοσ"},
		{"ﬁn", "fin", "FIN"},
		{"k", "K", "\u212a"}, // kelvin sign
		{"s", "ſ"},
	} {
		for _, name := range same {
			if Fold(name) != Fold(same[0]) {
				t.Errorf("%q folds to %q, %q to %q", name, Fold(name), same[0], Fold(same[0]))
			}
		}
	}
	if Fold("carol") == Fold("car0l") || Fold("zoë") == Fold("zoe") {
		t.Error("different names fold alike")
	}
}

// TestFoldIsStable: a folded name folds to itself, and in whichever case a name is typed, it folds alike.
func TestFoldIsStable(t *testing.T) {
	for r := range rune(0x20000) {
		if !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) {
			continue
		}
		folded := Fold("x" + string(r))
		for _, other := range []string{folded, "x" + string(unicode.ToUpper(r)), "x" + string(unicode.ToLower(r)), "X" + string(unicode.ToTitle(r))} {
			if got := Fold(other); got != folded {
				t.Errorf("%q folds to %q, x%c to %q", other, got, r, folded)
			}
		}
	}
}

func TestSuffix(t *testing.T) {
	if got := Suffixed("carol", "cn1abcdef7q2f"); got != "carol~7q2f" {
		t.Errorf("Suffixed = %q", got)
	}
	if got := Suffixed("carol", "ab"); got != "carol~ab" {
		t.Errorf("Suffixed of a short id = %q", got)
	}
	for name, want := range map[string]string{"carol~7q2f": "carol", "carol": "carol", "": "", "a~b~c": "a"} {
		if got := BaseName(name); got != want {
			t.Errorf("BaseName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"carol":       "carol",
		"carol~7q2f":  "carol~7q2f",
		"हिन्दी~ab12": "हिन्दी~ab12",
		"саrol":       "саrol", // not to be had any more, but of a name's form
		"cn1abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz": "cn1abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz",
		"":                      `""`,
		"bob: hi":               `"bob: hi"`,
		"carol~7q 2f":           `"carol~7q 2f"`,
		"carol~":                `"carol~"`,
		`"bob" `:                `"'bob' "`,
		"* bob":                 `"* bob"`,
		"\u202ebob\n13:00 root": `"` + "\ufffdbob" + `\n13:00 root"`,
		strings.Repeat("a", 99): `"` + strings.Repeat("a", 39) + `…"`,
		strings.Repeat("小", 99): `"` + strings.Repeat("小", 19) + `…"`,
	} {
		if got := Shown(name); got != want {
			t.Errorf("Shown(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestMakeName(t *testing.T) {
	tests := map[string]struct {
		candidates []string
		want       string
	}{
		"valid":              {[]string{"carol"}, "carol"},
		"first that fits":    {[]string{"", "!!!", "root", "plant7", "other"}, "plant7"},
		"none":               {nil, "guest"},
		"none fits":          {[]string{"", "admin", "\x00", "...", "\xff\xfe"}, "guest"},
		"domain":             {[]string{`PLANT\carol`}, "PLANTcarol"},
		"mail address":       {[]string{"carol.w@example.org"}, "carol.wexample.org"},
		"spaces":             {[]string{" Carol W "}, "CarolW"},
		"path":               {[]string{"../../etc/passwd"}, "etcpasswd"},
		"terminal":           {[]string{"\x1b]0;pwned\x07carol"}, "0pwnedcarol"},
		"long":               {[]string{strings.Repeat("ab", 1000)}, strings.Repeat("ab", 12)},
		"not NFC":            {[]string{"Zoe\u0308"}, "Zoë"},
		"split by a joiner":  {[]string{"Zoe\u200d\u0308"}, "Zoë"},
		"marks of its own":   {[]string{"q\u0308x\u030c"}, "q\u0308x\u030c"},
		"broken UTF-8":       {[]string{"ca\xffrol\xc3"}, "carol"},
		"mark first":         {[]string{"\u0301x"}, "x"},
		"becomes reserved":   {[]string{"r o o t", "host"}, "host"},
		"invisible":          {[]string{"\u3164\ufe0f"}, "guest"},
		"suffix given":       {[]string{"carol~7q2f"}, "carol7q2f"},
		"wide reserved":      {[]string{"ｒｏｏｔ", "x"}, "x"},
		"trailing hyphen ok": {[]string{"carol-"}, "carol-"},
		"first script wins":  {[]string{"carolс"}, "carol"},
		"right-to-left":      {[]string{"דני-דני"}, "דני-דני"},
		"looks reserved":     {[]string{"adrnin", "һеге", "host"}, "host"},
		"heap of accents":    {[]string{"q\u0308\u0301\u0316\u0317x"}, "q\u0316\u0317x"},
	}
	for name, tt := range tests {
		if got := MakeName(tt.candidates...); got != tt.want {
			t.Errorf("%s: MakeName(%q) = %q, want %q", name, tt.candidates, got, tt.want)
		}
	}
}

func FuzzMakeName(f *testing.F) {
	f.Add("Zoe\u200d\u0308")
	f.Add(`PLANT\carol`)
	f.Add("0\u0308")
	f.Fuzz(func(t *testing.T, candidate string) {
		name := MakeName(candidate)
		if !ValidName(name) || utf8.RuneCountInString(name) > MaxName {
			t.Fatalf("MakeName(%q) = %q, which is not valid", candidate, name)
		}
		if OneLine(name) != name || Shown(name) != name || CleanText(Text, name) != name || !MayBeRoom(strings.ToLower(name)) && Fold(name) == name {
			t.Fatalf("the name %q is shown as %q, as %q in a line", name, Shown(name), OneLine(name))
		}
		if again := MakeName(name); again != name {
			t.Fatalf("MakeName(%q) = %q, then %q", candidate, name, again)
		}
		if ValidName(candidate) && name != candidate {
			t.Fatalf("MakeName(%q) = %q though it was valid", candidate, name)
		}
		if f := Fold(candidate); utf8.ValidString(candidate) && Fold(f) != f {
			t.Fatalf("%q folds to %q, then to %q", candidate, f, Fold(f))
		}
	})
}
