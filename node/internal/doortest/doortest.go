// Package doortest is for the tests of doors: a node whose clock stands still, and what holds
// for the fields of every answer.
package doortest

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Noon is the time of nodes.
var Noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Open makes a node at Noon, with a limit of 5 a minute named default and more limits. It is
// closed when the test ends.
func Open(t testing.TB, more map[string]node.Policy) *node.Node {
	t.Helper()
	limits := map[string]node.Policy{"default": {Limit: 5, Window: time.Minute}}
	maps.Copy(limits, more)
	n, err := node.Open(context.Background(), node.Config{Limits: limits, Now: func() time.Time { return Noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// Fields reads the fields of an answer by the library of their form, and checks them against
// the draft.
func Fields(t testing.TB, h http.Header) {
	t.Helper()
	policies, limits := items(t, h, "Ratelimit-Policy"), items(t, h, "Ratelimit")
	if len(policies) != len(limits) {
		t.Fatalf("%d policies and %d limits: %v", len(policies), len(limits), h)
	}
	retry := retryAfter(t, h)
	for i, p := range policies {
		l := limits[i]
		if _, ok := p.Value.(string); !ok || p.Value != l.Value {
			t.Errorf("the policy of %v stands beside what is left of %v", p.Value, l.Value)
		}
		one, _ := p.Params.Get("pk")
		other, _ := l.Params.Get("pk")
		if a, b := key(t, one), key(t, other); a != b {
			t.Errorf("the partition %q stands beside %q", a, b)
		}
		number(t, p, "q", 0, true)
		number(t, p, "w", 1, false)
		number(t, l, "r", 0, true)
		if after := number(t, l, "t", 1, false); retry > 0 && after > retry {
			t.Errorf("t=%d is later than Retry-After: %d", after, retry)
		}
	}
}

// items are the members of a list, which are no inner lists.
func items(t testing.TB, h http.Header, name string) (out []httpsfv.Item) {
	t.Helper()
	list, err := httpsfv.UnmarshalList(h.Values(name))
	if err != nil {
		t.Fatalf("%s %q: %v", name, h.Values(name), err)
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			t.Fatalf("%s has an inner list: %v", name, h.Values(name))
		}
		out = append(out, item)
	}
	return out
}

func number(t testing.TB, item httpsfv.Item, name string, least int64, required bool) int64 {
	t.Helper()
	v, given := item.Params.Get(name)
	n, ok := v.(int64)
	if given && (!ok || n < least) || required && !given {
		t.Errorf("%s=%v of %v", name, v, item.Value)
	}
	return n
}

// key is a partition key, "" for none.
func key(t testing.TB, v any) string {
	t.Helper()
	b, ok := v.([]byte)
	if v != nil && (!ok || len(b) == 0) {
		t.Errorf("pk=%v", v)
	}
	return string(b)
}

// retryAfter is the wait that an answer names, 0 for none.
func retryAfter(t testing.TB, h http.Header) int64 {
	t.Helper()
	text := h.Get("Retry-After")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if text != "" && (err != nil || seconds < 1) {
		t.Errorf("Retry-After is %q", text)
	}
	return seconds
}
