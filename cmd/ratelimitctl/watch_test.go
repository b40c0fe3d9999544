package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// changing serves a node, and makes a change before each but the first time that its
// limits are asked for, as long as there are some.
func changing(t *testing.T, changes ...func(n *node.Node) error) {
	t.Helper()
	n, err := node.Open(t.Context(), node.Config{Name: "n1", Limit: 5, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Config{Node: n})
	looks := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/limits" {
			if looks > 0 && looks <= len(changes) {
				if err := changes[looks-1](n); err != nil {
					t.Error(err)
				}
			}
			looks++
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		_ = n.Close()
	})
	t.Setenv(envAddr, server.URL)
}

func TestWatchPrintsEachChangeAsItTakesEffect(t *testing.T) {
	set := func(name string, p node.Policy) func(n *node.Node) error {
		return func(n *node.Node) error { _, err := n.SetLimit(name, p); return err }
	}
	changing(t, set("default", node.Policy{Limit: 10, Window: time.Hour}))
	code, out, errs := ctl("limits", "watch", "-interval", "5ms", "-n", "1")
	if code != exitOK || errs != "" || !strings.HasSuffix(out, "Z  default  limit 5 -> 10, burst 5 -> 10\n") {
		t.Errorf("%d, %q, %q", code, errs, out)
	}
	changing(t, set("other", node.Policy{Limit: 1, Window: time.Hour}), set("search", node.Policy{Limit: 2, Window: 90 * time.Second}))
	code, out, errs = ctl("limits", "watch", "search", "-interval", "5ms", "-n", "1", "-o", "json")
	var change struct {
		Time     time.Time
		Name     string
		Old, New *struct{ Limit, Window int }
	}
	if err := json.Unmarshal([]byte(out), &change); err != nil {
		t.Fatal(err)
	}
	if code != exitOK || errs != "" || strings.Count(out, "\n") != 1 || change.Name != "search" || change.Old != nil || change.New == nil || change.New.Window != 90 ||
		change.Time.IsZero() {
		t.Errorf("%d, %q, %q", code, errs, out)
	}
}

func TestAChangeIsToldByWhatIsNew(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{"", `{"limit":5,"window":90,"overrides":[1]}`, "new: limit 5, window 1m30s, overrides 1"},
		{`{"window":"day","limit":5,"algorithm":"fixed_window"}`, "", "gone: limit 5, window day, algorithm fixed_window"},
		{`{"limit":5,"overrides":[1]}`, `{"limit":5,"overrides":[2]}`, "overrides changed, still 1"},
		{`{"limit":5,"overrides":[1]}`, `{"limit":5}`, "overrides 1 -> -"},
		{`{"limit":5,"shadow":true}`, `{"limit":0,"block":true,"shadow":true}`, "block - -> true, limit 5 -> 0"},
	} {
		change := limitChange{Old: json.RawMessage(c.old), New: json.RawMessage(c.now)}
		if c.old == "" {
			change.Old = nil
		}
		if c.now == "" {
			change.New = nil
		}
		if got := change.what(); got != c.want {
			t.Errorf("%s and %s: %q, want %q", c.old, c.now, got, c.want)
		}
	}
}

func TestWatchGoesOnUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	looks := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch looks++; looks {
		case 2, 3:
			http.Error(w, "gone for a moment", http.StatusServiceUnavailable)
		case 5:
			stop()
			fallthrough
		default:
			_, _ = io.WriteString(w, `{"limits":{}}`)
		}
	}))
	defer server.Close()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"limits", "watch", "-interval", "5ms", "-addr", server.URL}, &out, &errs)
	if code != exitOK || out.Len() != 0 || errs.String() != ""+
		"ratelimitctl limits watch: 503: gone for a moment; asking again\n"+
		"ratelimitctl limits watch: "+server.URL+" answers again\n" {
		t.Errorf("%d, %q, %q", code, out.String(), errs.String())
	}
}
