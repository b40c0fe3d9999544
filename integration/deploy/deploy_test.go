package deploy

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// root is the main module's folder, and folder that of the files.
const (
	root   = "../.."
	folder = root + "/deploy"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// daemon builds ratelimitd once.
func daemon(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ratelimitd")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/ratelimitd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestEveryFileIsTested(t *testing.T) {
	tested := []string{
		"Dockerfile", "ai-gateway/ratelimit.yaml", "ai-gateway/values.yaml", "envoy-gateway/envoy-gateway.yaml", "envoy-gateway/policy.yaml",
		"envoy/envoy.yaml", "envoy/rules/edge.yaml", "kubernetes/daemonset.yaml", "kubernetes/statefulset.yaml", "systemd/ratelimitd.service",
	}
	elsewhere := []string{"caddy", "helm", "nginx", "grafana", "prometheus"} // tested with the proxies themselves, by promtool, and as a chart
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, folder+"/")
		top, _, _ := strings.Cut(name, "/")
		if !slices.Contains(tested, name) && !slices.ContainsFunc(elsewhere, func(e string) bool { return strings.HasPrefix(strings.ToLower(top), e) }) {
			t.Errorf("nothing tests deploy/%s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRules(t *testing.T) {
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: read(t, "envoy/rules/edge.yaml")}}, envoyrls.Options{})
	if err != nil || rules.Len() != 2 {
		t.Errorf("got %v, %v", rules, err)
	}
}

func TestDockerfile(t *testing.T) {
	text := read(t, "Dockerfile")
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil || len(parsed.Warnings) > 0 {
		t.Fatalf("%v, %v", err, parsed.Warnings)
	}
	var warnings []string
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, text string, _ []parser.Range) { warnings = append(warnings, rule+": "+text) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil || len(stages) != 2 || len(warnings) > 0 {
		t.Fatalf("%d stages, %v, %v", len(stages), warnings, err)
	}
	if from := stages[1].BaseName; from != "gcr.io/distroless/static-debian12:nonroot" {
		t.Errorf("the image is from %s", from)
	}
	// The link by which gateways run it, and the version that it is stamped with.
	for _, part := range []string{"ln -s ratelimitd /out/bin/ratelimit\n", "cmd/internal/build.version=${VERSION}"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("it lacks %q", part)
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	unit := string(read(t, "systemd/ratelimitd.service"))
	program := daemon(t)
	path := filepath.Join(t.TempDir(), "ratelimitd.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit, "/usr/local/bin/ratelimitd", program)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	// The flags of the unit are flags of the daemon.
	dir := t.TempDir()
	for name, text := range map[string]string{"cluster-key": strings.Repeat("k", 32), "admin-token": strings.Repeat("t", 32), "ratelimitd.yaml": "limit: 10\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, line, _ := strings.Cut(unit, "ExecStart=/usr/local/bin/ratelimitd ")
	line, _, _ = strings.Cut(line, "\n")
	line = strings.NewReplacer("/etc/ratelimitd", dir, "${CREDENTIALS_DIRECTORY}", dir, "${STATE_DIRECTORY}", dir).Replace(line)
	check(t, program, nil, strings.Fields(line))
}

// check lets the daemon judge its settings.
func check(t *testing.T, program string, env, args []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(args, "-check")...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v %v: %v\n%s", env, args, err, out)
	} else if !strings.Contains(string(out), "the settings are fine") {
		t.Errorf("%v: it said %s", args, out)
	}
}

// place puts files into a directory of the test.
func place(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
