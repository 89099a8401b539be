package bench

import "debug/elf"

// isStripped reports whether a program has no table of symbols; known is false for what is none.
func isStripped(path string) (stripped, known bool) {
	file, err := elf.Open(path)
	if err != nil {
		return false, false
	}
	defer file.Close()
	return file.Section(".symtab") == nil, true
}
