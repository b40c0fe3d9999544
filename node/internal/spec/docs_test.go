package spec_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

func TestTheBodiesInTheManualAreRight(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	bodies := regexp.MustCompile(`(?m)^    \$ curl .* -d '(.*)'$`).FindAllStringSubmatch(string(text), -1)
	if len(bodies) != 2 {
		t.Errorf("found %d bodies, want 2", len(bodies))
	}
	for _, b := range bodies {
		var r spec.Reader
		r.Limit("", parse(t, b[1]), spec.BaseOf(others))
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v", b[1], err)
		}
	}
}
