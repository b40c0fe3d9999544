package natskv_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestTheCommandsInTheManualAreRight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "limits.md"))
	must(t, err)
	puts := regexp.MustCompile(`(?m)^    \$ nats kv put limits limit\.(\S+) '(.*)'$`).FindAllStringSubmatch(string(text), -1)
	if len(puts) != 2 {
		t.Fatalf("found %d commands, want 2", len(puts))
	}
	w := newWorld(t)
	b := w.create()
	for _, p := range puts {
		b.put(p[1], p[2])
	}
	m := w.alone()
	eventually(t, "all are in force", func() bool { return m.limit("default") == 200 && m.limit("api.search") == 20 })
	if m.stats().Refused != 0 {
		t.Errorf("got %v, %+v", m.node.Limits(), m.stats())
	}
}
