package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alerts are deploy/prometheus/alerts.yml, the source of the tables in docs/alerts.md.
type alerts struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For string
			Labels           struct{ Severity string }
			Annotations      struct{ Title, Summary, Description, Action string }
		}
	}
}

func readAlerts(t *testing.T) (a alerts) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "deploy", "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// exported are the names in docs/metrics.md, which a test of the daemon keeps equal to what it exports.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ratelimiter_[a-z_]+)` \\| ([a-z]+)").FindAllStringSubmatch(string(text), -1) {
		names[m[1]] = true
		if m[2] == "histogram" {
			names[m[1]+"_bucket"] = true
		}
	}
	if len(names) < 50 {
		t.Fatalf("docs/metrics.md has %d metrics", len(names))
	}
	return names
}

var ownMetric = regexp.MustCompile(`\bratelimiter_[a-z_]+`)

// TestTheManualOfAlertsIsMadeOfTheRules: each group is a table, and each rule a line of it.
func TestTheManualOfAlertsIsMadeOfTheRules(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	spans := map[string]string{"0s": "0", "1m": "1 min", "5m": "5 min", "10m": "10 min", "30m": "30 min"}
	rules := 0
	for _, g := range readAlerts(t).Groups {
		table := "| alert | expression | for | why | what to do |\n|---|---|---|---|---|\n"
		for _, r := range g.Rules {
			rules++
			cells := []string{r.Annotations.Title, "`" + r.Expr + "`", spans[r.For], r.Annotations.Description, r.Annotations.Action}
			table += "| " + strings.Join(cells, " | ") + " |\n"
		}
		if !strings.Contains(string(text), "\n\n"+table+"\n") {
			t.Errorf("docs/alerts.md lacks the table of %s, which is\n%s", g.Name, table)
		}
	}
	if rules < 15 {
		t.Errorf("there are %d rules", rules)
	}
}

func TestEveryMetricOfAlertsAndTheGrafanaDashboardExists(t *testing.T) {
	names := exported(t)
	used := 0
	check := func(where, expr string) {
		for _, name := range ownMetric.FindAllString(expr, -1) {
			if used++; !names[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	for _, g := range readAlerts(t).Groups {
		for _, r := range g.Rules {
			check(r.Alert, r.Expr)
			if r.Labels.Severity != strings.TrimPrefix(g.Name, "ratelimiter-") || r.Annotations.Summary == "" {
				t.Errorf("%s: severity %q, summary %q", r.Alert, r.Labels.Severity, r.Annotations.Summary)
			}
		}
	}
	for title, expr := range grafanaExpressions(t) {
		check(title, expr)
	}
	if used < 60 {
		t.Errorf("%d metrics are used", used)
	}
}

// grafanaExpressions are those of all panels and variables, by their titles. It fails the test if panels overlap or lack
// what a reader needs.
func grafanaExpressions(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "deploy", "grafana", "ratelimiter.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title  string
		Tags        []string
		Annotations struct {
			List []struct{ Name, Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if board.UID != "ratelimiter" || !slices.Contains(board.Tags, "ratelimiter") {
		t.Errorf("uid %q, tags %q", board.UID, board.Tags)
	}
	out := map[string]string{}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: twice, without a title, or too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
		for i, target := range p.Targets {
			out[fmt.Sprintf("%s, %d", p.Title, i)] = target.Expr
		}
	}
	for _, v := range board.Templating.List {
		if _, rest, ok := strings.Cut(v.Definition, "label_values("); ok {
			expr, _, _ := strings.Cut(rest, ",")
			out["variable "+v.Name] = expr
		}
	}
	for _, a := range board.Annotations.List {
		out["annotation "+a.Name] = a.Expr
	}
	return out
}
