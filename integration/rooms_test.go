package integration_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// folderRow is one row of docs/design.md's map: a part, and what it may import.
var folderRow = regexp.MustCompile("(?m)^\\| (`[a-z/]+`(?:, `[a-z/]+`)*) \\| [^|]+ \\| ([^|]+) \\|")

var codeSpan = regexp.MustCompile("`([^`]+)`")

func spansOf(text string) (all []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// TestTheDesignMapsEveryPart compares the folder map with the folders, and with the layers that each
// part may import.
func TestTheDesignMapsEveryPart(t *testing.T) {
	mapped := map[string][]string{} // by the folder's name below node/internal
	for _, m := range folderRow.FindAllStringSubmatch(document(t, "design.md"), -1) {
		for _, folder := range spansOf(m[1]) {
			mapped[strings.TrimPrefix(folder, "node/internal/")] = spansOf(m[2])
		}
	}
	folders, err := os.ReadDir(filepath.Join(moduleRoot(t), "node", "internal"))
	if err != nil || len(folders) < 10 {
		t.Fatalf("found %d folders: %v", len(folders), err)
	}
	for _, f := range folders {
		if _, some := mapped[f.Name()]; !some {
			t.Errorf("docs/design.md does not map node/internal/%s", f.Name())
		}
	}
	for part, imports := range parts {
		var want []string
		for _, i := range imports {
			want = append(want, strings.TrimPrefix(i, "node/internal/"))
		}
		got := slices.Clone(mapped[path.Base(part)])
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("docs/design.md lets %s import %q, and the layer test %q", part, got, want)
		}
	}
}

// TestFileMapsAreWhole compares the file maps in package comments with the files.
func TestFileMapsAreWhole(t *testing.T) {
	for _, folder := range []string{"sync", "node/internal/table"} {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), folder, "doc.go"))
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(text), "// # Where things are\n")
		section, _, _ = strings.Cut(section, "\n// #")
		var mapped []string
		for line := range strings.Lines(section) {
			if entry, ok := strings.CutPrefix(line, "//\t"); ok {
				for word := range strings.FieldsSeq(entry) {
					name, more := strings.CutSuffix(word, ",")
					if mapped = append(mapped, name); !more {
						break
					}
				}
			}
		}
		all, err := filepath.Glob(filepath.Join(moduleRoot(t), folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, file := range all {
			if name := strings.TrimSuffix(filepath.Base(file), ".go"); name != "doc" && !strings.HasSuffix(name, "_test") {
				files = append(files, name)
			}
		}
		slices.Sort(files)
		if slices.Sort(mapped); len(files) < 20 || !slices.Equal(files, mapped) {
			t.Errorf("%s/doc.go maps %q, and the folder has %q", folder, mapped, files)
		}
	}
}
