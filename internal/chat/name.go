package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NameRule and RoomRule are the grammar in a sentence, for whoever typed something else.
const (
	NameRule = "a name has 1 to 24 letters, digits, '.', '_' or '-', begins with a letter or digit, and is not reserved"
	RoomRule = "a room's name has 1 to 32 lower-case letters, digits, '.', '_' or '-', and begins with a letter or digit"
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

// ValidName reports whether s can be asked for as a person's name: NFC, 1 to MaxName letters, digits, '.', '_' and '-', a letter or
// digit first, and not reserved. The marks with which many scripts write vowels count as letters, except at the beginning. A suffix is given by the node and can't be asked for.
func ValidName(s string) bool {
	return wellFormed(s, MaxName) && !reserved[Fold(s)]
}

// ValidRoom reports whether s can be a room's name: as a person's name, of at most MaxRoom runes, in lower case.
func ValidRoom(s string) bool {
	return wellFormed(s, MaxRoom) && strings.ToLower(s) == s
}

func wellFormed(s string, limit int) bool {
	if s == "" || len(s) > limit*utf8.UTFMax || !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit || !norm.NFC.IsNormalString(s) {
		return false
	}
	for i, r := range s {
		switch {
		case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
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

// Skeleton returns the form by which a node tells names apart: two names of one skeleton are one to a reader's eye.
func Skeleton(name string) string { return Fold(name) }

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

// MakeName returns the first of candidates that is a valid name once characters that no name can hold are left out, and "guest" when
// none is.
func MakeName(candidates ...string) string {
	for _, c := range candidates {
		name := ""
		for _, r := range norm.NFC.String(strings.ToValidUTF8(c, "")) {
			if longer := norm.NFC.String(name + string(r)); wellFormed(longer, MaxName) {
				name = longer
			}
		}
		if ValidName(name) {
			return name
		}
	}
	return "guest"
}
