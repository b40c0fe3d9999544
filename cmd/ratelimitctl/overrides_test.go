package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The number of overrides is what a daemon's own handler says, in each table that has it.
func TestTheNumberOfOverridesIsTheDaemons(t *testing.T) {
	daemon(t, "")
	file := filepath.Join(t.TempDir(), "limit.yaml")
	text := "limit: 5\nwindow: 60\noverrides:\n  - {client: a, limit: 50}\n  - {prefix: \"b-\", block: true}\n  - {client: [c, d], unlimited: true}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := ctl("limits", "set", "search", "-f", file); code != exitOK {
		t.Fatalf("%d, %q", code, errs)
	}
	for _, args := range []string{"limits", "limits list", "status"} {
		_, out, errs := ctl(strings.Fields(args)...)
		column, found := -1, false
		for line := range strings.Lines(out) {
			fields := strings.Split(strings.Join(strings.Fields(strings.ReplaceAll(line, "WOULD DENY", "WOULD-DENY")), " "), " ")
			if fields[0] == "NAME" {
				for i, name := range fields {
					if name == "OVERRIDES" {
						column = i
					}
				}
			}
			if fields[0] == "search" && column >= 0 && len(fields) > column {
				found = fields[column] == "3"
			}
		}
		if !found {
			t.Errorf("%s: %q\n%s", args, errs, out)
		}
	}
}
