package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NameRule and RoomRule are the grammar in a sentence, for whoever typed something else.
const (
	NameRule = "a name has 1 to 24 letters of one script, digits, '.', '_' or '-', begins with a letter or digit, and neither is nor looks like a reserved one"
	RoomRule = "a room's name has 1 to 32 lower-case letters of one script, digits, '.', '_' or '-', and begins with a letter or digit"
)

// Marks that stand before a room's name on the wire.
const (
	DirectMark = "@" // "@bob" is the conversation with bob; "@" alone, in a join, is all of one's own
	SuffixMark = "~" // "carol~7q2f" is a carol who is not the first of that name
)

// suffixLen is the number of characters of a key's id behind SuffixMark.
const suffixLen = 4

// reserved names belong to nobody, so that no person can speak as the node.
var reserved = map[string]bool{
	"server": true, "system": true, "admin": true, "administrator": true, "root": true, "you": true, "me": true,
	"node": true, "chatnode": true, "everyone": true, "all": true, "here": true, "room": true, "operator": true, "moderator": true,
}

// lookalikes are the skeletons of reserved names.
var lookalikes = func() map[string]bool {
	all := map[string]bool{}
	for name := range reserved {
		all[Skeleton(name)] = true
	}
	return all
}()

// ValidName reports whether s can be asked for as a person's name: NFC, 1 to MaxName letters, digits, '.', '_' and '-', a letter or
// digit first, such as one hand writes (one script, digits of one system, few marks), and neither reserved nor alike to what is. The
// marks with which many scripts write vowels count as letters, except at the beginning. A suffix is given by the node and can't be asked for.
func ValidName(s string) bool {
	return wellFormed(s, MaxName) && oneHand(s) && !isReserved(s)
}

// ValidRoom reports whether a room can be made with the name s: as a person's name, of at most MaxRoom runes, in lower case.
func ValidRoom(s string) bool {
	return MayBeRoom(s) && oneHand(s)
}

// MayBeRoom reports whether there can be a room of the name s. It allows what ValidRoom did before it asked for one hand: such rooms
// go on, and whoever asks for one of them must reach it.
func MayBeRoom(s string) bool {
	return wellFormed(s, MaxRoom) && strings.ToLower(s) == s
}

// isReserved reports whether a name is reserved or looks as if it were. Ali looks like all only when its l or i is another letter.
func isReserved(s string) bool {
	return lookalikes[Skeleton(s)] && s != "ali" && s != "Ali" && s != "ALI"
}

func wellFormed(s string, limit int) bool {
	if s == "" || len(s) > limit*utf8.UTFMax || !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit || !norm.NFC.IsNormalString(s) {
		return false
	}
	for i, r := range s {
		switch {
		case isIgnorable(r):
			return false // a letter or mark that nobody sees: two names would look alike
		case unicode.IsLetter(r) || unicode.IsDigit(r):
		case i > 0 && (r == '.' || r == '_' || r == '-' || unicode.In(r, unicode.Mn, unicode.Mc)):
		default:
			return false
		}
	}
	return true
}

// Fold returns the form in which names are compared: two names that fold alike are one. It goes by way of upper case, because letters
// such as the final sigma differ from others in lower case only.
func Fold(name string) string {
	return norm.NFKC.String(strings.ToLower(strings.ToUpper(norm.NFKC.String(name))))
}

//go:generate go run ./gen/confusables.go $CONFUSABLES

// Skeleton returns the form by which a node tells names apart: two names of one skeleton are one to a reader's eye (UTS 39, 4, over
// Fold). Whatever folds alike has one skeleton, and the skeleton of a skeleton is itself. Letters that look alike only as capitals are alike where no
// small letter of ASCII has to give way for it: i is l, since I is, and the Cyrillic в is b; but the Greek ν is v, and not n as well. It
// is a key to compare by, not a text to show.
func Skeleton(name string) string {
	for range maxSkeletons {
		bones := norm.NFD.String(prototype(norm.NFD.String(Fold(name))))
		if bones == name {
			break
		}
		name = bones
	}
	return name
}

// maxSkeletons is how often the way to a skeleton is gone at most. Twice is enough for what names hold: the second changes nothing.
const maxSkeletons = 8

// prototype returns s with each letter, digit and mark replaced by what it looks like, and without what nobody sees.
func prototype(s string) string {
	var b strings.Builder
	for _, r := range s {
		if isIgnorable(r) {
			continue
		}
		i, found := slices.BinarySearch(confusable[:], r)
		switch {
		case !found:
			b.WriteRune(r)
		case i == 0:
			b.WriteString(prototypes[:prototypeEnds[0]])
		default:
			b.WriteString(prototypes[prototypeEnds[i-1]:prototypeEnds[i]])
		}
	}
	return b.String()
}

// Suffixed returns name with the mark that tells its owner from an earlier one of that name. id is the text of the owner's key id.
func Suffixed(name, id string) string {
	if len(id) > suffixLen {
		id = id[len(id)-suffixLen:]
	}
	return name + SuffixMark + id
}

// BaseName returns name without the suffix that a node may have given it.
func BaseName(name string) string {
	base, _, _ := strings.Cut(name, SuffixMark)
	return base
}

// maxShown is how many columns Shown gives to what is no name.
const maxShown = 40

// Shown returns a name, a room's name or a key's id as it may stand in a sentence: as it is where it has the form of one, with a suffix or
// without, and otherwise in quotation marks, short, and fit for one line. No node can call somebody a sentence and have the client say it.
func Shown(name string) string {
	base, suffix, marked := strings.Cut(name, SuffixMark)
	if wellFormed(base, maxShown*2) && (!marked || wellFormed(suffix, maxShown)) {
		return name
	}
	return `"` + strings.ReplaceAll(Truncate(OneLine(name), maxShown), `"`, "'") + `"`
}

// MakeName returns the first of candidates that is a valid name once characters that no name can hold are left out, and "guest" when
// none is.
func MakeName(candidates ...string) string {
	for _, c := range candidates {
		if ValidName(c) { // character by character it might not get as far: a right-to-left name can't end with every character
			return c
		}
		name := ""
		for _, r := range norm.NFC.String(strings.ToValidUTF8(c, "")) {
			if longer := norm.NFC.String(name + string(r)); wellFormed(longer, MaxName) && oneHand(longer) {
				name = longer
			}
		}
		if ValidName(name) {
			return name
		}
	}
	return "guest"
}
