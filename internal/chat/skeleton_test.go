package chat

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestSkeletonTellsLookalikes: names that a reader takes for one have one skeleton.
func TestSkeletonTellsLookalikes(t *testing.T) {
	for _, same := range [][]string{
		{"carol", "Carol", "сarol", "саrоl", "car0l", "caro1", "caroI", "ｃａｒｏｌ", "𝒸𝒶𝓇ℴ𝓁", "cɑrol", "ca\u200drol"},
		{"paypal", "раураӏ", "pаypal", "paypaI", "paypa1", "PAYPAL"},
		{"mark", "rnark", "Mark", "ｍark"},
		{"lily", "1i1y", "IiIy", "ⅼily", "Illy"},
		{"bob", "b0b", "bоb", "BOB", "ВОВ"},
		{"apple", "аррӏе", "appIe"},
		{"scope", "ѕсоре"},
		{"vera", "νera", "vеrа"},
		{"bepa", "ВЕРА", "вера"}, // as capitals
		{"hato", "НАТО", "нато"},
		{"zoë", "ZOË", "zoe\u0308", "zоё"},
		{"smørg", "smo\u0338rg"},
		{"αλέξ", "ΑΛΈΞ"},
		{"エ", "工"},
		{"", "\u200d"},
	} {
		for _, name := range same {
			if Skeleton(name) != Skeleton(same[0]) {
				t.Errorf("%q has the skeleton %q, %q %q", name, Skeleton(name), same[0], Skeleton(same[0]))
			}
		}
	}
}

// TestSkeletonTellsApart: names that differ to the eye have skeletons of their own.
func TestSkeletonTellsApart(t *testing.T) {
	names := []string{
		"bob", "dob", "pop", "carol", "karol", "carla", "carols", "zoe", "zoë", "zoé", "nina", "vina", "hans", "nans", "anna", "ann", "uwe", "ywe", "eve", "ewe",
		"marc", "nark", "bert", "berta", "peter", "реtra", "straße", "strasse", "strabe", "Алёна", "Олена", "小林", "大林", "민수", "민주", "नीना", "नैना", "علي", "عمر",
		"a.b", "a-b", "a_b", "ab", "user2", "user3", "user5", "users", "ülo", "olu", "q\u0308", "q",
	}
	seen := map[string]string{}
	for _, name := range names {
		if other, taken := seen[Skeleton(name)]; taken {
			t.Errorf("%q and %q have one skeleton, %q", name, other, Skeleton(name))
		}
		seen[Skeleton(name)] = name
	}
	// Of ASCII, only these are alike.
	alike := map[string]string{}
	for r := 'a'; r <= 'z'; r++ {
		alike[Skeleton(string(r))] += string(r)
	}
	for r := '0'; r <= '9'; r++ {
		alike[Skeleton(string(r))] += string(r)
	}
	for bones, letters := range alike {
		if len(letters) > 1 && letters != "il1" && letters != "o0" {
			t.Errorf("%q all look like %q", letters, bones)
		}
	}
}

// keepsSkeleton fails unless a skeleton is its own, and what folds alike has one.
func keepsSkeleton(t *testing.T, name string) {
	t.Helper()
	bones := Skeleton(name)
	if again := Skeleton(bones); again != bones {
		t.Errorf("%q has the skeleton %q, and that has %q", name, bones, again)
	}
	for _, other := range []string{Fold(name), strings.ToUpper(name), strings.ToLower(name)} {
		if Fold(other) == Fold(name) && Skeleton(other) != bones {
			t.Errorf("%q and %q fold alike, and have the skeletons %q and %q", name, other, bones, Skeleton(other))
		}
	}
}

func TestSkeletonOfEveryRune(t *testing.T) {
	for r := range rune(0x20000) {
		if unicode.In(r, unicode.L, unicode.M, unicode.N) && utf8.ValidRune(r) {
			keepsSkeleton(t, "x"+string(r)+"\u0301")
		}
	}
}

// TestConfusables: the table is in order, holds what folded names hold, and leads nowhere but out of it.
func TestConfusables(t *testing.T) {
	if !slices.IsSorted(confusable[:]) || !slices.IsSorted(prototypeEnds[:]) || len(confusable) != len(prototypeEnds) || int(prototypeEnds[len(prototypeEnds)-1]) != len(prototypes) {
		t.Fatal("the table is not in order")
	}
	for _, r := range confusable {
		to := prototype(string(r))
		if to == string(r) || to == "" || prototype(to) != to || !utf8.ValidString(to) {
			t.Errorf("%q becomes %q, then %q", r, to, prototype(to))
		}
	}
}

func FuzzSkeleton(f *testing.F) {
	for _, name := range []string{"carol", "саrоl", "rnark", "ΑΛΈΞ", "l\u0307\u0301", "İ", "ǰ", "ﬀ", "\u1e9b\u0323", "𐑃"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if utf8.ValidString(name) {
			keepsSkeleton(t, name)
		}
	})
}

func BenchmarkSkeleton(b *testing.B) {
	for name, s := range map[string]string{"ASCII": "carol", "Cyrillic": "александра"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Skeleton(s)
			}
		})
	}
}

func BenchmarkValidName(b *testing.B) {
	for name, s := range map[string]string{"ASCII": "carol", "Cyrillic": "александра"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ValidName(s)
			}
		})
	}
}
