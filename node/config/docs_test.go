package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// files are the configuration files that a document shows: the indented blocks that
// are neither commands nor code.
func files(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	indent, comment := "    ", ""
	if strings.HasSuffix(name, ".go") {
		indent, comment = "\t", "//"
	}
	var all []string
	block := ""
	for line := range strings.Lines(string(text) + "\n") {
		line, _ = strings.CutPrefix(line, comment)
		if inner, ok := strings.CutPrefix(line, indent); ok {
			block += inner
			continue
		}
		if strings.Contains("\n"+block, "\nlimits:\n") {
			all = append(all, block)
		}
		block = ""
	}
	return all
}

func TestTheFilesInDocumentsAreRight(t *testing.T) {
	for name, want := range map[string]int{"docs/limits.md": 9, "docs/running.md": 1, "docs/deploying.md": 3, "docs/cookbook.md": 8, "node/config/doc.go": 1} {
		all := files(t, name)
		if len(all) != want {
			t.Errorf("%s shows %d files, want %d: %q", name, len(all), want, all)
		}
		for _, text := range all {
			s := config.Default()
			if err := s.Parse(name, []byte(text)); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
			if _, err := s.Policies(); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		}
	}
}

func TestTheManualKnowsEveryFieldOfALimit(t *testing.T) {
	s := config.Default()
	err := s.Parse("f.yaml", []byte("limits: {a: {nope: 1}}"))
	_, known, _ := strings.Cut(err.Error(), "known are ")
	text, readErr := os.ReadFile(filepath.Join("..", "..", "docs", "limits.md"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	for name := range strings.SplitSeq(known, ", ") {
		if !strings.Contains(string(text), "\n| `"+name+"` |") {
			t.Errorf("docs/limits.md does not list %s", name)
		}
	}
}
