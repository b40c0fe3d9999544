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
	// Numbers aligns all cells but the first of a row to the right, since figures
	// are compared by their last digits.
	Numbers bool

	rows [][]string
}

// Row adds one row; cells are printed as by fmt.Sprint. Control characters, which
// could come from a server's answer and would act on the terminal, are replaced.
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
