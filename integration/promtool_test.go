//go:build promtool

package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestPromtoolTakesTheAlerts asks Prometheus's own tool: whether it takes the rules, whether each alert fires for what it
// is for and for nothing else, and whether it can read what Grafana will ask. make alerts-check sets PROMTOOL and the tag.
func TestPromtoolTakesTheAlerts(t *testing.T) {
	tool := os.Getenv("PROMTOOL")
	folder := filepath.Join(moduleRoot(t), "deploy", "prometheus")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = folder
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
	run("check", "config", "prometheus.yml")
	run("check", "rules", "alerts.yml")
	run("test", "rules", "alerts_test.yml")
	tests, err := os.ReadFile(filepath.Join(folder, "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range readAlerts(t).Groups {
		for _, r := range g.Rules {
			if !strings.Contains(string(tests), `labels: 'ALERTS{alertname="`+r.Alert+`", alertstate="firing"`) {
				t.Errorf("no case in which %s fires", r.Alert)
			}
		}
	}
	type recording struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []recording
	for _, expr := range grafanaExpressions(t) {
		expr = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$limit", ".*").Replace(expr)
		rules = append(rules, recording{fmt.Sprintf("panel_%d", len(rules)), expr})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "grafana", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "grafana.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("check", "rules", file)
}
