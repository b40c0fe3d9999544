package output

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Table collects rows and aligns their cells in columns. The zero value is empty
// and ready. Not safe for concurrent use.
type Table struct {
	// Numbers aligns all cells to the right but the first of each row, so that the digits of
	// equal weight stand below each other.
	Numbers bool

	rows [][]string
}

// Row adds one row. It prints cells as fmt.Sprint does, and replaces control characters, since a
// server's answer may hold some, and a terminal would obey them.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = strings.Map(visible, fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

func visible(r rune) rune {
	if r < ' ' || (r >= 0x7f && r < 0xa0) {
		return utf8.RuneError
	}
	return r
}

// Print writes the rows and forgets them.
func (t *Table) Print(w io.Writer) error {
	if t.Numbers {
		t.alignRight()
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		if _, err := io.WriteString(tw, strings.Join(row, "\t")+"\n"); err != nil {
			return err
		}
	}
	t.rows = nil
	return tw.Flush()
}

// alignRight makes all cells of a column but the first equally wide. (tabwriter's
// AlignRight would move the first column too.)
func (t *Table) alignRight() {
	var widest []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widest) {
				widest = append(widest, 0)
			}
			widest[i] = max(widest[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range t.rows {
		for i := 1; i < len(row); i++ {
			row[i] = strings.Repeat(" ", widest[i]-utf8.RuneCountInString(row[i])) + row[i]
		}
	}
}

// Empty reports whether the table has no rows.
func (t *Table) Empty() bool { return len(t.rows) == 0 }
