package integration_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The layers, and what keeps them apart (docs/design.md, "Layers"). Only go/parser is used: the rules hold for files
// behind any build tag, before anything compiles, and without a tool beside Go.

const modulePath = "github.com/distributed-rate-limiter/distributed-rate-limiter"

// A rule names one thing that a source file must not do.
type rule string

const (
	ruleDirection   rule = "imports point down"
	ruleFolder      rule = "code lives in a known folder"
	ruleIntegration rule = "nobody imports integration"
	ruleSyncAlias   rule = "the sync package is imported as deltasync"
	ruleClock       rule = "pure layers and node's parts take time as a parameter"
	ruleGoroutine   rule = "pure layers start no goroutine"
	ruleImpure      rule = "pure layers import no locks, I/O or logging"
	ruleTransport   rule = "pure layers know no NATS"
	ruleEmbedding   rule = "node links nothing that its embedder has to pay for"
	ruleProcess     rule = "node leaves the process to the program"
	ruleInterface   rule = "adapters declare the interface that they need"
)

// finding is one broken rule at one place.
type finding struct {
	rule rule
	pos  token.Position
	text string
}

func (f finding) String() string { return fmt.Sprintf("%s: %s (rule: %s)", f.pos, f.text, f.rule) }

// source is one parsed file. Its folder is relative to the module's root and has forward slashes.
type source struct {
	fset   *token.FileSet
	file   *ast.File
	folder string
	test   bool
	// example says that the file shows how an embedder uses the package.
	example bool
}

func parseSource(name string, code any) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, code, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	test := strings.HasSuffix(name, "_test.go")
	return source{fset: fset, file: file, folder: path.Dir(name), test: test, example: test && strings.HasPrefix(path.Base(name), "example_")}, nil
}

// within reports whether the folder is top or lies below it.
func within(folder, top string) bool {
	return folder == top || strings.HasPrefix(folder, top+"/")
}

// parts are the packages that node is built of. Each is a layer of its own below node: it names what it may import of the
// project, and no adapter may import it, but for what tests need.
var parts = map[string][]string{
	"node/internal/clock":  {"crdt"},
	"node/internal/rights": {"crdt"},
	"node/internal/line":   nil,
	"node/internal/top":    nil,
	"node/internal/inside": {"crdt", "sync", "node/limit", "node/internal/isolation", "node/internal/limits", "node/internal/table", "node/internal/lending"},
	"node/internal/lending": {
		"gcra", "crdt", "sync", "node/limit", "node/internal/clock", "node/internal/limits", "node/internal/line", "node/internal/rights",
		"node/internal/table", "node/internal/tally",
	},
	"node/internal/tally":     {"node/internal/top"},
	"node/internal/escrow":    {"crdt", "sync"},
	"node/internal/isolation": {"gcra", "crdt"},
	"node/internal/limits":    {"gcra", "crdt", "sync", "node/limit", "node/internal/rights", "node/internal/tally"},
	"node/internal/table": {
		"gcra", "crdt", "sync", "node/limit", "node/internal/isolation", "node/internal/tally", "node/internal/top",
		"node/internal/rights", "node/internal/racing", "node/internal/counts", "node/internal/sketch",
	},
	"node/internal/counts":   {"crdt"},
	"node/internal/sketch":   nil,
	"node/internal/health":   {"crdt", "sync", "node/internal/limits", "node/internal/tally"},
	"node/internal/natslink": {"sync", "node/limit", "node/internal/seldom"},
	"node/internal/seldom":   nil,
	"node/internal/saved":    {"crdt", "sync", "node/internal/counts", "node/internal/table"},
	"node/internal/racing":   nil,
}

// inNode reports whether a layer is node itself or one of its parts.
func inNode(layer string) bool {
	_, part := parts[layer]
	return layer == "node" || part
}

// layerOf maps a folder of the module to its layer: gcra, crdt, sync, node/limit, node, one of node's parts, node/<adapter>, cmd,
// integration, or "" for a folder that the layout does not have. Sub-packages belong to the layer above them. Internal
// packages that are no part of node serve its adapters, and belong to node.
func layerOf(folder string) string {
	for _, top := range []string{"gcra", "crdt", "sync", "cmd", "integration"} {
		if within(folder, top) {
			return top
		}
	}
	for part := range parts {
		if within(folder, part) {
			return part
		}
	}
	if folder == "node" || within(folder, "node/internal") {
		return "node"
	}
	if adapter, ok := strings.CutPrefix(folder, "node/"); ok {
		name, _, _ := strings.Cut(adapter, "/")
		return "node/" + name
	}
	return ""
}

// adapter reports whether a layer is one of the packages beside node that embedders put together.
func adapter(layer string) bool {
	return strings.HasPrefix(layer, "node/") && !inNode(layer) && layer != "node/limit" && layer != "node/sim"
}

// mayImport lists, for a layer, the other layers of the project that it may import.
func mayImport(layer string) []string {
	if others, part := parts[layer]; part {
		return others
	}
	switch layer {
	case "gcra", "crdt", "node/embednats":
		return nil
	case "sync":
		return []string{"crdt"}
	case "node/limit":
		return []string{"gcra", "crdt", "node/internal/rights"}
	case "node":
		return slices.AppendSeq([]string{"gcra", "crdt", "sync", "node/limit"}, maps.Keys(parts))
	case "node/sim":
		return []string{"gcra", "crdt", "sync", "node/limit", "node", "node/internal/inside"}
	case "node/natsapi": // which is that interface over another transport
		return []string{"node/limit", "node", "node/httpapi"}
	default: // any other adapter: it logs what requests cause, and its tests ask whether the race detector watches
		return []string{"node/limit", "node", "node/internal/seldom", "node/internal/racing"}
	}
}

// violations applies every rule to one file.
func violations(src source) []finding {
	var found []finding
	layer := layerOf(src.folder)
	add := func(r rule, at ast.Node, format string, args ...any) {
		found = append(found, finding{rule: r, pos: src.fset.Position(at.Pos()), text: fmt.Sprintf(format, args...)})
	}

	if layer == "" {
		add(ruleFolder, src.file.Name, "folder %q is no part of the layout", src.folder)
	}

	names := map[string]string{} // local name -> import path
	for _, spec := range src.file.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted the literal
		}
		name := importName(spec, target)
		names[name] = target

		if target == modulePath+"/sync" && name != "deltasync" {
			add(ruleSyncAlias, spec, "import of %q needs the alias deltasync", target)
		}
		if inner, ok := strings.CutPrefix(target, modulePath+"/"); ok || target == modulePath {
			other := layerOf(inner)
			switch {
			case other == "integration" && layer != "integration":
				add(ruleIntegration, spec, "import of %q", target)
			case layer == "cmd" || layer == "integration" || layer == "" || layer == other:
			case src.example && adapter(layer) && adapter(other): // as embedders put them together
			case !slices.Contains(mayImport(layer), other):
				add(ruleDirection, spec, "%s imports %q", layer, target)
			}
		}
		if src.test {
			continue
		}
		if pure(layer) {
			checkPureImport(layer, spec, target, name, add)
		}
		if inNode(layer) {
			checkNodeImport(spec, target, add)
		}
	}
	if src.test {
		return found
	}

	ast.Inspect(src.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if pure(layer) {
				add(ruleGoroutine, n, "go statement in %s", layer)
			}
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok {
				checkUse(layer, n, names[id.Name], add)
			}
		}
		return true
	})
	return found
}

type report func(r rule, at ast.Node, format string, args ...any)

// pure layers are functions of their arguments.
func pure(layer string) bool { return layer == "gcra" || layer == "crdt" || layer == "node/limit" }

// timed parts of node read a clock: its clock, and those that pace a log.
var timed = []string{"node/internal/clock", "node/internal/natslink", "node/internal/seldom"}

// timeless layers never read a clock: the pure ones, and the parts of node but for the timed.
func timeless(layer string) bool {
	_, part := parts[layer]
	return pure(layer) || part && !slices.Contains(timed, layer)
}

// pureExceptions are what node/limit imports of the banned folders. Neither waits nor reaches anything: netip only parses
// addresses, and an atomic pointer remembers the calendar window that was asked for last.
var pureExceptions = []string{"net/netip", "sync/atomic"}

func checkPureImport(layer string, spec *ast.ImportSpec, target, name string, add report) {
	for _, banned := range []string{"sync", "os", "net", "log", "syscall"} {
		if within(target, banned) && (layer != "node/limit" || !slices.Contains(pureExceptions, target)) {
			add(ruleImpure, spec, "import of %q", target)
		}
	}
	if within(target, "github.com/nats-io") {
		add(ruleTransport, spec, "import of %q", target)
	}
	if target == "time" && name == "." {
		add(ruleClock, spec, "a dot import of time hides the calls that read the clock")
	}
}

func checkNodeImport(spec *ast.ImportSpec, target string, add report) {
	for _, banned := range heavyDependencies {
		if within(target, banned) {
			add(ruleEmbedding, spec, "import of %q", target)
		}
	}
	if target == "flag" || target == "os/signal" {
		add(ruleProcess, spec, "import of %q", target)
	}
}

// checkUse looks at one selector expression whose left side names an imported package.
func checkUse(layer string, sel *ast.SelectorExpr, target string, add report) {
	name := sel.Sel.Name
	switch {
	case timeless(layer) && target == "time" && slices.Contains([]string{
		"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer",
	}, name):
		add(ruleClock, sel, "time.%s in %s", name, layer)

	case inNode(layer) && target == "os" && slices.Contains([]string{
		"Exit", "Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Stdin", "Stdout", "Stderr",
		"Open", "OpenFile", "OpenRoot", "Create", "CreateTemp", "ReadFile", "WriteFile", "ReadDir", "Mkdir", "MkdirAll",
	}, name):
		add(ruleProcess, sel, "os.%s in %s", name, layer)

	// An adapter serves whatever has the few methods that it calls; assertions that *node.Node is one belong in tests.
	case strings.HasPrefix(layer, "node/") && layer != "node/sim" && target == modulePath+"/node" &&
		(name == "Node" || name == "Open"):
		add(ruleInterface, sel, "node.%s in %s", name, layer)
	}
}

// importName is the name by which a file refers to an import. Without an alias it is the last element of the path that is
// not a major version: true of everything that the rules ask about.
func importName(spec *ast.ImportSpec, target string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	base := path.Base(target)
	if version, ok := strings.CutPrefix(base, "v"); ok {
		if _, err := strconv.Atoi(version); err == nil {
			return path.Base(path.Dir(target))
		}
	}
	return base
}

// moduleRoot is the folder of this module's go.mod, above this package's folder.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "module "+modulePath+"\n") {
		t.Fatalf("the go.mod in %s is not that of %s", root, modulePath)
	}
	return root
}

// TestLayersHold reads every Go file of the module.
func TestLayersHold(t *testing.T) {
	root := moduleRoot(t)
	seen := map[string]int{}
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if d.IsDir() {
			return skipFolder(t, full, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		code, err := os.ReadFile(full)
		if err != nil {
			return err
		}
		src, err := parseSource(name, code)
		if err != nil {
			return err
		}
		seen[layerOf(src.folder)]++
		for _, f := range violations(src) {
			t.Error(f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A walk that finds nothing would pass: every layer must have been there.
	for _, layer := range slices.AppendSeq([]string{"gcra", "crdt", "sync", "node/limit", "node", "cmd", "integration"}, maps.Keys(parts)) {
		if seen[layer] == 0 {
			t.Errorf("no Go file found in layer %s", layer)
		}
	}
}

// skipFolder leaves out what the go command leaves out too. A nested module is its own project: only integration/ has any.
func skipFolder(t *testing.T, full, name string) error {
	t.Helper()
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(full, "go.mod")); err == nil {
		if !within(name, "integration") {
			t.Errorf("%s: a nested module outside integration/", name)
		}
		return fs.SkipDir
	}
	return nil
}
