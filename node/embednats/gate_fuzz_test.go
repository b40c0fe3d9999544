package embednats

import (
	"strings"
	"testing"
)

// FuzzNodeOfAToken takes tokens of anybody: only that of a name is that node's, and no name reaches
// the subjects of others.
func FuzzNodeOfAToken(f *testing.F) {
	for _, token := range []string{NodeToken(secret, "n1"), NodeToken(secret, "*"), NodeToken(secret, "a.b"), tokenPrefix, tokenPrefix + ".", "", "x"} {
		f.Add(token)
	}
	g := &gate{cfg: Config{NodeSecret: secret}}
	f.Fuzz(func(t *testing.T, token string) {
		name, ok := g.node(token)
		if ok && (token != NodeToken(secret, name) || strings.ContainsAny(name, ".*> ") || name == "") {
			t.Errorf("%q is taken for that of %q", token, name)
		}
	})
}
