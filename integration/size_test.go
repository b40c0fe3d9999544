package integration_test

import (
	"bytes"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// The bounds of ADR 0006.
const (
	// mostMethods is how many methods a type may have. More of them lets one type do several
	// things. Fewer would divide types that are one thing with many verbs.
	mostMethods = 45
	// mostFiles and mostLines are how large node's root may be, tests left out. More of it hides
	// parts that can stand alone. Less would tear decisions from their glue.
	mostFiles, mostLines = 25, 4000
	// leastComments is the share of lines of comments in those of code. A higher one invites comments
	// that repeat the code; a lower one leaves reasons unsaid.
	leastComments = 0.22
)

func TestNoTypeHasTooManyMethods(t *testing.T) {
	methods := map[string]map[string]bool{} // by folder and type; builds for several systems repeat some
	eachSource(t, func(file string, parsed *ast.File) {
		for _, decl := range parsed.Decls {
			f, some := decl.(*ast.FuncDecl)
			if !some || receiver(f) == "" {
				continue
			}
			of := path.Dir(file) + "." + receiver(f)
			if methods[of] == nil {
				methods[of] = map[string]bool{}
			}
			methods[of][f.Name.Name] = true
		}
	})
	if len(methods["node/internal/table.Shard"]) < 20 {
		t.Errorf("found %d methods of a shard: they are not counted", len(methods["node/internal/table.Shard"]))
	}
	for of, names := range methods {
		if len(names) > mostMethods {
			t.Errorf("%s has %d methods, want at most %d: divide it by noun", of, len(names), mostMethods)
		}
	}
}

func TestTheRootOfNodeStaysSmall(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(moduleRoot(t), "node", "*.go"))
	if err != nil || len(all) < 10 {
		t.Fatalf("found %d files: %v", len(all), err)
	}
	files, lines := 0, 0
	for _, file := range all {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files, lines = files+1, lines+bytes.Count(text, []byte("\n"))
	}
	if files > mostFiles || lines > mostLines {
		t.Errorf("node's root has %d lines in %d files, want at most %d in %d: move something into a part", lines, files, mostLines, mostFiles)
	}
}

// TestCommentsAreAFifthOfTheCode counts sync and node with all their packages, but for the simulator
// and what serves tests alone.
func TestCommentsAreAFifthOfTheCode(t *testing.T) {
	root := moduleRoot(t)
	type count struct{ code, comments int }
	trees := map[string]*count{"sync": {}, "node": {}}
	eachSource(t, func(file string, _ *ast.File) {
		tree, _, _ := strings.Cut(file, "/")
		c := trees[tree]
		if c == nil || strings.HasPrefix(file, "node/sim/") || strings.HasSuffix(path.Dir(file), "test") {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			switch line = strings.TrimSpace(line); {
			case line == "":
			case strings.HasPrefix(line, "//"):
				c.comments++
			default:
				c.code++
			}
		}
	})
	for tree, c := range trees {
		if share := float64(c.comments) / float64(c.code); c.code < 4000 || share < leastComments {
			t.Errorf("%s has %d lines of comments for %d of code, a share of %.3f: want at least %.2f", tree, c.comments, c.code, share, leastComments)
		}
		t.Logf("%s: %d lines of comments for %d of code", tree, c.comments, c.code)
	}
}
