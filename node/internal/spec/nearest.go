package spec

import "strings"

// Among tells what there is instead of a name that is unknown, for a message, and
// which of it was probably meant.
func Among(name string, known []string) string {
	const most = 64 // of them, in one message
	list := strings.Join(known[:min(len(known), most)], ", ")
	if len(known) > most {
		list += " and more"
	}
	if near := nearest(name, known); near != "" {
		list += "; did you mean " + near + "?"
	}
	return list
}

// nearest is the known name that the fewest changes of a letter turn name into, ""
// where none is near.
func nearest(name string, known []string) string {
	const longest = 64 // of names
	if len(name) > longest {
		return ""
	}
	least, found := max(1, len(name)/3)+1, ""
	for _, k := range known {
		if d := distance(name, k); d < least {
			least, found = d, k
		}
	}
	return found
}

// distance is that of Damerau and Levenshtein, with transpositions of neighbors.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, next := rows[0], rows[1], rows[2]
		next[0] = i
		for j := 1; j <= len(b); j++ {
			swap := 1
			if a[i-1] == b[j-1] {
				swap = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+swap)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, next, before}
	}
	return rows[1][len(b)]
}
