//go:build promtool

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Prometheus's own tool has no complaint. It is Debian's: make alerts-check sets PROMTOOL and the tag.
func TestPromtoolFindsNoFault(t *testing.T) {
	tool := os.Getenv("PROMTOOL")
	text, _ := scraped(t)
	cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%v\n%s", err, said)
	}
}
