package httpapi_test

import (
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
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi/httpapitest"
)

var update = flag.Bool("update", false, "write the answers into docs/http.md")

var (
	// changing members differ from node to node, and from start to start.
	changing = regexp.MustCompile(`"(incarnation|reservation)":"[^"]*"`)
	long     = regexp.MustCompile(`^(\{"node":.*?"ready":true).*("limits":\{"api":\{.*?"configured":).*\}$`)
)

// manual is the node of docs/http.md, at noon. It has a network, as the daemon has.
func manual(t *testing.T) http.Handler {
	t.Helper()
	l := leaper{ahead: newAhead(12 * time.Hour)}
	l.Node = open(t, node.Config{Now: l.now, Transport: new(node.Memory).Transport(), Alone: true, Limits: map[string]node.Policy{
		"default": {Limit: 100, Window: time.Minute},
		"day":     {Algorithm: node.FixedWindow, Limit: 1000, Calendar: 4},
		"tenant":  {Limit: 500, Window: time.Minute},
		"search":  {Limit: 2, Window: time.Second, Shadow: true},
		"api": {Limit: 100, Window: time.Minute, Overrides: []node.Override{
			{Clients: []string{"monitoring"}, Access: node.Unlimited}, {CIDRs: []string{"2001:db8::/32"}, Limit: 10}, {Clients: []string{"mallory"}, Access: node.Blocked},
		}},
	}})
	for !l.Stats().Sync.Connected {
		time.Sleep(time.Millisecond)
	}
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
	const prompt, indent = httpapitest.Prompt, "    "
	commands := httpapitest.Commands(string(text))
	if len(commands) < 25 {
		t.Fatalf("found %d commands", len(commands))
	}
	answers := httpapitest.Paste(t, manual(t), http.StatusInternalServerError, commands)
	if len(answers) != len(commands) {
		t.Fatalf("got %d answers to %d commands", len(answers), len(commands))
	}
	var out []string
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		if !strings.HasPrefix(lines[i], prompt) {
			continue
		}
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], indent) && !strings.HasPrefix(lines[i+1], prompt) {
			i++ // the answer that stood there
		}
		answer := strings.TrimSpace(answers[0])
		answers = answers[1:]
		if answer == "" {
			continue
		}
		for line := range strings.SplitSeq(answer, "\n") {
			line = changing.ReplaceAllString(line, `"$1":"..."`)
			out = append(out, indent+long.ReplaceAllString(line, `$1,...},...,$2{...},...},...}`))
		}
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
