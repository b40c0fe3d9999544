package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi/httpapitest"
)

// limitFiles returns the configuration files of a text: indented blocks with limits.
func limitFiles(text string) []string {
	var all []string
	block := ""
	for line := range strings.Lines(text + "\n") {
		if inner, ok := strings.CutPrefix(line, "    "); ok {
			block += inner
			continue
		}
		if strings.HasPrefix(block, "limits:\n") {
			all = append(all, block)
		}
		block = ""
	}
	return all
}

// TestEveryRecipeWorks gives the limits of a recipe to a node, and pastes the recipe's
// commands into a shell. The node is fresh, so it has to admit every request.
func TestEveryRecipeWorks(t *testing.T) {
	recipes := strings.Split(document(t, "cookbook.md"), "\n## ")[1:]
	if len(recipes) < 7 {
		t.Fatalf("found %d recipes", len(recipes))
	}
	for _, recipe := range recipes {
		name, _, _ := strings.Cut(recipe, "\n")
		t.Run(name, func(t *testing.T) {
			limits := map[string]node.Policy{}
			for _, file := range limitFiles(recipe) {
				s := config.Default()
				if err := s.Parse("cookbook.md", []byte(file)); err != nil {
					t.Fatalf("%v in\n%s", err, file)
				}
				policies, err := s.Policies()
				if err != nil {
					t.Fatalf("%v in\n%s", err, file)
				}
				for limit, policy := range policies {
					if strings.Contains(file, "\n  "+limit+":") {
						limits[limit] = policy
					}
				}
			}
			commands := httpapitest.Commands(recipe)
			if len(limits) == 0 || len(commands) == 0 {
				t.Fatalf("found %d limits and %d commands", len(limits), len(commands))
			}
			n, err := node.Open(t.Context(), node.Config{Name: "n1", Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
			for i, answer := range httpapitest.Paste(t, h, http.StatusBadRequest, commands) {
				admitted := slices.ContainsFunc([]string{`"allowed":true`, `"settled":true`, `"reset":true`}, func(s string) bool { return strings.Contains(answer, s) })
				if !admitted && strings.HasPrefix(commands[i], "curl") {
					t.Errorf("%s: got %s", commands[i], answer)
				}
			}
		})
	}
}

// goCode finds the Go code of a document.
var goCode = regexp.MustCompile("(?s)\n```go\n(.*?)```\n")

// TestGoCodeInDocumentsCompiles compiles it as the inside of a function. The variables
// that it may take for granted are those below.
func TestGoCodeInDocumentsCompiles(t *testing.T) {
	for name, least := range map[string]int{"README.md": 1, "docs/cookbook.md": 1} {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
		if err != nil {
			t.Fatal(err)
		}
		found := goCode.FindAllStringSubmatch(string(text), -1)
		if len(found) < least {
			t.Errorf("%s has %d pieces of Go code, want at least %d", name, len(found), least)
		}
		for i, m := range found {
			code := fmt.Sprintf(`package main

import (
	"context"
	"errors"
	"time"

	"%s/node"
)

var (
	n                                    *node.Node
	ctx                                  context.Context
	clientID, addr, user, tenant, prompt string
	errTooMany                           error
)

func ask(string) (int64, error) { return 0, errors.ErrUnsupported }

func main() {
	_ = time.Minute
	_ = func() error {
%s
		return nil
	}
}
`, modulePath, m[1])
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file)
			cmd.Dir = moduleRoot(t)
			out, err := cmd.CombinedOutput()
			for line := range strings.Lines(string(out)) {
				// Code that shows a call need not use its result.
				if err != nil && !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
					t.Errorf("code %d of %s: %s", i+1, name, line)
				}
			}
		}
	}
}

// metricName is a metric of this project as documents write it. After ^ it is a pattern.
var metricName = regexp.MustCompile(`(?m)(?:^|[^^])\b(ratelimiter_[a-z_]+[a-z])`)

// TestNamedMetricsExist asks a daemon for its metrics, and looks up every metric that a
// document names.
func TestNamedMetricsExist(t *testing.T) {
	d := newDaemon(t, "n1")
	resp, err := http.Get("http://" + d.http + "/metrics") //nolint:noctx // on this machine
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	exposed := map[string]bool{}
	for _, m := range metricName.FindAllStringSubmatch(string(page), -1) {
		exposed[m[1]] = true
	}
	for _, name := range []string{"README.md", "docs/alerts.md", "docs/running.md", "docs/deploying.md", "docs/error-bound.md", "docs/nats-permissions.md"} {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
		if err != nil {
			t.Fatal(err)
		}
		named := metricName.FindAllStringSubmatch(string(text), -1)
		if name == "docs/alerts.md" && len(named) < 25 {
			t.Errorf("%s names %d metrics", name, len(named))
		}
		for _, m := range named {
			if !exposed[m[1]] {
				t.Errorf("%s names %s, which no node exports", name, m[1])
			}
		}
	}
}
