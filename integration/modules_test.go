package integration_test

import (
	"cmp"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// requirements are the versions that the module in a folder asks for, as its go.mod has them.
func requirements(t *testing.T, folder string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: go mod edit: %v", folder, err)
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range file.Require {
		versions[r.Path] = r.Version
	}
	return versions
}

// older reports whether a version comes before another. Both are as go.mod files have them.
func older(a, b string) bool {
	parts := func(v string) (numbers [3]int, before string) {
		release, before, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v, "v"), "+incompatible"), "-")
		for i, n := range strings.SplitN(release, ".", 3) {
			numbers[i], _ = strconv.Atoi(n) // go mod edit has read it
		}
		return numbers, before
	}
	x, xBefore := parts(a)
	y, yBefore := parts(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	if (xBefore == "") != (yBefore == "") {
		return xBefore != "" // what comes before a release is older than it
	}
	return cmp.Compare(xBefore, yBefore) < 0
}

// TestNestedModulesAskForNothingOlder sees that a dependency that this module takes in a newer version does not leave the
// modules under integration/ behind. The go command refuses to work in such a module until somebody runs go mod tidy there,
// and that shows in no test of this module.
func TestNestedModulesAskForNothingOlder(t *testing.T) {
	root := moduleRoot(t)
	ours := requirements(t, root)
	nested, err := filepath.Glob(filepath.Join(root, "integration", "*", "go.mod"))
	if err != nil || len(nested) < 5 || len(ours) < 20 {
		t.Fatalf("%d nested modules, %d requirements, %v", len(nested), len(ours), err)
	}
	for _, file := range nested {
		folder := filepath.Dir(file)
		for path, version := range requirements(t, folder) {
			if least := ours[path]; least != "" && older(version, least) {
				t.Errorf("integration/%s asks for %s %s, this module for %s: run go mod tidy there", filepath.Base(folder), path, version, least)
			}
		}
	}
}

func TestOlderVersionsAreFound(t *testing.T) {
	for _, pair := range [][2]string{
		{"v1.9.0", "v1.10.0"},
		{"v0.6.0", "v1.0.0"},
		{"v1.2.3", "v1.2.4"},
		{"v1.2.3-rc.1", "v1.2.3"},
		{"v0.1.1-0.20260101000000-aaaaaaaaaaaa", "v0.1.1-0.20260729145720-a2d8c7492908"},
		{"v2.0.0+incompatible", "v2.1.0+incompatible"},
	} {
		if !older(pair[0], pair[1]) || older(pair[1], pair[0]) || older(pair[0], pair[0]) {
			t.Errorf("%q", pair)
		}
	}
}
