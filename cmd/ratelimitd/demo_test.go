package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

// feed is an output that a test follows while it is written.
type feed struct{ lines chan string }

func (f feed) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		f.lines <- line
	}
	return len(p), nil
}

// The demonstration itself is tested where it is; here is what the program adds.
func TestTheDemoServesItsFirstNodeUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := feed{make(chan string, 100)}
	done := make(chan error, 1)
	go func() { done <- run(ctx, call{args: []string{"-demo", "-http", "127.0.0.1:0"}}, out, out) }()
	url := ""
	for url == "" {
		select {
		case line := <-out.lines:
			_, rest, _ := strings.Cut(line, "Open ")
			url, _, _ = strings.Cut(rest, "/ ")
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/livez", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() { // the dashboard shows somebody who is denied
		if strings.Contains(lines.Text(), `"most_denied":[{"name":"greedy-`) {
			break
		}
	}
	cancel()
	for verdict := false; ; { // who looks holds nothing up
		select {
		case line := <-out.lines:
			verdict = verdict || line == "PASS\n"
			continue
		case err := <-done:
			if err != nil {
				t.Errorf("got %v", err)
			}
			for len(out.lines) > 0 {
				verdict = verdict || <-out.lines == "PASS\n"
			}
			if !verdict {
				t.Error("there is no verdict")
			}
		}
		break
	}
}

func TestTheDemoNeedsItsPort(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, stdout, stderr := finish(t, nil, "-demo", "-http", l.Addr().String())
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "in use") {
		t.Errorf("got %d, %q, %q", code, stdout, stderr)
	}
}
