package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The tables stand between these lines of the document.
const (
	tablesBegin = "<!-- begin: make bench-peers -->\n"
	tablesEnd   = "<!-- end: make bench-peers -->\n"
)

// table is one in Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	line(slices.Repeat([]string{"---"}, len(t.head)))
	for _, r := range t.rows {
		line(r)
	}
	return b.String()
}

// versionOf is the version of a module in this program.
func versionOf(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok || module == "" {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}

// where says on what and when the tables were measured.
func where(rounds int) string {
	model := "an unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, some := strings.CutPrefix(line, "model name"); some {
				model = strings.TrimLeft(strings.TrimSpace(name), ": ")
				break
			}
		}
	}
	return fmt.Sprintf("Measured on %s: %s, %s/%s, %s with %d cores.\n"+
		"Medians of %d alternating rounds of CPU time; quartiles in brackets.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, model, runtime.NumCPU(), rounds)
}

// writeInto replaces the tables of a document.
func writeInto(file, tables string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tablesBegin)
	_, after, done := strings.Cut(rest, tablesEnd)
	if !ok || !done {
		return fmt.Errorf("%s has no place for the tables: the lines %q and %q", file, strings.TrimSpace(tablesBegin), strings.TrimSpace(tablesEnd))
	}
	return os.WriteFile(file, []byte(before+tablesBegin+"\n"+tables+"\n"+tablesEnd+after), 0o600)
}
