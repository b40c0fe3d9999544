package main

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A program with a NATS client asks a daemon, until the daemon stops.
func TestItAnswersOverNATS(t *testing.T) {
	p := runDaemon(t, nil, "-limit", "2", "-nats-listen", "127.0.0.1:0", "-nats-api")
	conn, err := nats.Connect(p.clientURL(), nats.MaxReconnects(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func() string {
		for until := time.Now().Add(30 * time.Second); ; {
			m, err := conn.Request("ratelimit.api.default.check", []byte(`{"client":"alice"}`), 30*time.Second)
			if err == nil {
				return string(m.Data)
			}
			if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(until) { // the service may be on its way to the server
				t.Fatal(err)
			}
		}
	}
	for i, want := range []string{`"remaining":1`, `"remaining":0`, `"allowed":false`} {
		if got := ask(); !strings.Contains(got, want) {
			t.Errorf("request %d: got %s, want %s", i, got, want)
		}
	}
	if resp, body := p.ask("GET", "/v1/peek?client=alice", ""); resp.StatusCode != 200 || !strings.Contains(body, `"allowed":false`) {
		t.Errorf("over HTTP: got %d %s", resp.StatusCode, body)
	}
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
