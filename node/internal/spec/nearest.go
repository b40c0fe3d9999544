package spec

import "strings"

// Among returns the known names as a list for a message about an unknown one, and asks
// for the name that was probably meant.
func Among(name string, known []string) string {
	// most is how many names a message lists. More of them hide the one that was meant; fewer hide
	// what there is.
	const most = 96
	list := strings.Join(known[:min(len(known), most)], ", ")
	if len(known) > most {
		list += " and more"
	}
	if near := Nearest(name, known); near != "" {
		list += "; did you mean " + near + "?"
	}
	return list
}

// Nearest returns the known name that differs from name by the fewest letters, "" if all
// differ by more than a third of them, or in all of them.
func Nearest(name string, known []string) string {
	const longest = 64 // a longer name is no slip, and distance is quadratic
	if len(name) > longest {
		return ""
	}
	least, found := max(1, len(name)/3)+1, ""
	for _, k := range known {
		if d := distance(name, k); d < least && d < max(len(name), len(k)) {
			least, found = d, k
		}
	}
	return found
}

// distance counts the letters to add, drop, replace, or swap with a neighbour. This is the restricted
// distance of Damerau and Levenshtein. It takes len(a)·len(b) steps.
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
