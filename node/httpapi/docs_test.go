package httpapi_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

var update = flag.Bool("update", false, "write the answers into docs/http.md")

var (
	curlLine = regexp.MustCompile(`^    \$ curl (?:-X (\w+) )?'?127\.0\.0\.1:8080([^' ]*)'?(?: -X (\w+))?(?: -d '(.*)')?$`)
	// What differs from node to node, and from start to start.
	changing = regexp.MustCompile(`"(incarnation|reservation)":"[^"]*"`)
	long     = regexp.MustCompile(`^(\{"node":.*?"ready":true).*("limits":\{"api":\{.*?"configured":).*\}$`)
)

// manual is the node of docs/http.md, at noon.
func manual(t *testing.T) http.Handler {
	t.Helper()
	l := leaper{ahead: newAhead(12 * time.Hour)}
	l.Node = open(t, node.Config{Now: l.now, Limits: map[string]node.Policy{
		"default": {Limit: 100, Window: time.Minute},
		"day":     {Algorithm: node.FixedWindow, Limit: 1000, Calendar: 4},
		"tenant":  {Limit: 500, Window: time.Minute},
		"search":  {Limit: 2, Window: time.Second, Shadow: true},
		"api": {Limit: 100, Window: time.Minute, Overrides: []node.Override{
			{Clients: []string{"monitoring"}, Access: node.Unlimited}, {CIDRs: []string{"2001:db8::/32"}, Limit: 10}, {Clients: []string{"mallory"}, Access: node.Blocked},
		}},
	}})
	return httpapi.New(httpapi.Config{Node: l, Version: "v0.1.0", Loopback: true})
}

// The manual's answers are a node's: go test ./node/httpapi -run Manual -update writes
// them.
func TestTheManualShowsWhatIsAnswered(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "http.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := manual(t)
	token, count := "", 0
	var out []string
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		m := curlLine.FindStringSubmatch(lines[i])
		if m == nil {
			if strings.HasPrefix(lines[i], "    $") {
				t.Errorf("line %d is not understood", i+1)
			}
			continue
		}
		count++
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "    ") && !strings.HasPrefix(lines[i+1], "    $") {
			i++ // what it answered
		}
		w := ask(t, h, method(m), m[2], strings.ReplaceAll(m[4], "$RESERVATION", token))
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s: got %d", lines[i], w.Code)
		}
		var got struct{ Reservation string }
		if json.Unmarshal(w.Body.Bytes(), &got) == nil && got.Reservation != "" {
			token = got.Reservation
		}
		for line := range strings.SplitSeq(strings.TrimSpace(w.Body.String()), "\n") {
			line = changing.ReplaceAllString(line, `"$1":"..."`)
			out = append(out, "    "+long.ReplaceAllString(line, `$1,...},...,$2{...},...},...}`))
		}
	}
	if count < 25 {
		t.Errorf("found %d commands", count)
	}
	want := strings.Join(out, "\n")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		for i, line := range lines {
			if i >= len(out) || line != out[i] {
				t.Fatalf("line %d is\n%s\nwant\n%s", i+1, line, out[min(i, len(out)-1)])
			}
		}
		t.Fatal("answers are missing at the end")
	}
}

// method is what curl uses.
func method(m []string) string {
	switch {
	case m[1] != "":
		return m[1]
	case m[3] != "":
		return m[3]
	case m[4] != "":
		return http.MethodPost
	default:
		return http.MethodGet
	}
}

func TestTheManualNamesEveryAddress(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "http.md"))
	if err != nil {
		t.Fatal(err)
	}
	for path := range httpapi.Routes() {
		if path = strings.ReplaceAll(path, "{name}", "login"); !strings.Contains(string(text), path) {
			t.Errorf("%s is not in docs/http.md", path)
		}
	}
}
