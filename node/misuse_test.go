package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAShortClusterKeyIsRefused(t *testing.T) {
	for _, key := range []string{"abc", "0123456789abcde"} {
		_, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Minute, ClusterKey: []byte(key)})
		if fault := new(node.FieldError); !errors.As(err, &fault) || fault.Field != "cluster_key" || strings.Contains(err.Error(), key) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestANilContextIsAnError(t *testing.T) {
	var none context.Context
	if _, err := node.Open(none, node.Config{Limit: 1, Window: time.Minute}); err == nil {
		t.Error("Open took it")
	}
	n := openNode(t, node.Config{Limit: 1, Window: time.Minute})
	for name, call := range map[string]func() error{
		"Wait":         func() error { return n.Wait(none, "a") },
		"Limiter.Wait": func() error { return n.Limiter("default").Wait(none, "a", 1) },
		"WaitFor":      func() error { return n.WaitFor(none, node.Request{Client: "a"}) },
		"Commit": func() error {
			_, err := n.Commit(none, "a token", 1)
			return err
		},
		"Cancel": func() error {
			_, err := n.Cancel(none, "a token")
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "context") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := n.Do(node.Request{Client: "a", Peek: true}); d.Remaining != 1 {
		t.Errorf("a call with a nil context took something: %+v", d)
	}
}

// What a closed node is told reaches nobody: that is no success.
func TestAClosedNodeTakesNoChange(t *testing.T) {
	n := openNode(t, node.Config{Limit: 1, Window: time.Minute})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	p := node.Policy{Limit: 5, Window: time.Minute}
	for name, call := range map[string]func() error{
		"SetLimit":    func() error { return errorOf(n.SetLimit("default", p)) },
		"a new one":   func() error { return errorOf(n.SetLimit("other", p)) },
		"DeleteLimit": func() error { return errorOf(n.DeleteLimit("default")) },
		"Configure":   func() error { return errorOf(n.Configure(map[string]node.Policy{"default": p})) },
		"Reset":       func() error { return n.Reset("default", "a") },
	} {
		if err := call(); !errors.Is(err, node.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := n.Limits()["default"].Limit; got != 1 {
		t.Errorf("the limit is %d all the same", got)
	}
}

func openNode(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}
