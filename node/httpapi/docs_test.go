package httpapi_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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

// curl is what the manual's commands run: this test's own program, under curl's name. It
// knows the flags that the manual uses, and asks the server in CURL_SERVER.
func curl(args []string) error {
	method, body, target := "", "", ""
	for ; len(args) > 0; args = args[1:] {
		switch args[0] {
		case "-X", "-d":
			if len(args) < 2 {
				return fmt.Errorf("curl: option %s: requires parameter", args[0])
			}
			if args[0] == "-X" {
				method = args[1]
			} else {
				body = args[1]
			}
			args = args[1:]
		default:
			if target != "" || strings.HasPrefix(args[0], "-") {
				return fmt.Errorf("curl: argument %q is not understood", args[0])
			}
			target = args[0]
		}
	}
	path, ok := strings.CutPrefix(target, "127.0.0.1:8080")
	if !ok {
		return fmt.Errorf("curl: %q is no address of the manual's node", target)
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, os.Getenv("CURL_SERVER")+path, strings.NewReader(body)) //nolint:noctx // the program ends with it
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("curl: %s: %s", target, resp.Status)
	}
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// runsAsCurl does curl's work if this program was started under that name.
func runsAsCurl() bool {
	if filepath.Base(os.Args[0]) != "curl" {
		return false
	}
	if err := curl(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// paste runs commands one after the other in one shell, as somebody does who pastes
// them, and returns what each one prints.
func paste(t *testing.T, h http.Handler, commands []string) []string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "curl")); err != nil {
		t.Fatal(err)
	}
	const separator = "\x1e"
	shell := exec.CommandContext(t.Context(), "sh", "-e")
	shell.Dir = dir
	shell.Env = append(os.Environ(), "CURL_SERVER="+server.URL, "PATH="+dir+":"+os.Getenv("PATH"))
	shell.Stdin = strings.NewReader(strings.Join(commands, "\nprintf '\\036'\n"))
	var errs bytes.Buffer
	shell.Stderr = &errs
	out, err := shell.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return strings.Split(string(out), separator)
}

// The manual's answers are a node's: go test ./node/httpapi -run Manual -update writes
// them.
func TestTheManualShowsWhatIsAnswered(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "http.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const prompt, indent = "    $ ", "    "
	var commands []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, prompt); ok {
			commands = append(commands, strings.TrimSuffix(command, "\n"))
		}
	}
	if len(commands) < 25 {
		t.Fatalf("found %d commands", len(commands))
	}
	answers := paste(t, manual(t), commands)
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
