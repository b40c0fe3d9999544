package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAnUnknownLimitIsToldToTheLogOnce(t *testing.T) {
	var log record
	n := alone(t, node.Config{Limit: 1, Window: time.Minute, Logger: log.logger()})
	policy := &node.Policy{Limit: 1, Window: time.Minute}
	for _, use := range []struct {
		name string
		ask  func()
	}{
		{"allowed", func() { n.Limiter("allowed").Allow("alice") }},
		{"peeked", func() { n.Limiter("peeked").Peek("alice", 1) }},
		{"reserved", func() { n.Limiter("reserved").Reserve("alice", 1) }},
		{"asked", func() { n.Do(node.Request{Client: "alice", Limit: "asked"}) }},
		{"also", func() { n.Do(node.Request{Client: "alice", Also: []node.Check{{Limit: "also"}}}) }},
		{"", func() { n.Do(node.Request{Client: "alice", Limit: "brought", Policy: policy}) }},
		{"", func() { n.Lookup("looked-up") }},
		{"", func() { n.Allow("alice") }},
	} {
		log.take()
		use.ask()
		use.ask()
		want := 1
		if use.name == "" {
			want = 0
		}
		text := log.take()
		if got := strings.Count(text, "there is no limit of this name"); got != want {
			t.Errorf("%q: told %d times, want %d:\n%s", use.name, got, want, text)
		}
		if want > 0 && !strings.Contains(text, "limit="+use.name) {
			t.Errorf("%q: not named:\n%s", use.name, text)
		}
	}
	log.take()
	for i := range 1000 {
		n.Limiter(fmt.Sprintf("%d%s", i, strings.Repeat("x", 1000))).Allow("alice")
	}
	text := log.take()
	if got := strings.Count(text, "\n"); got > 64 || len(text) > 64*300 {
		t.Errorf("names that clients make up fill the log with %d lines, %d bytes", got, len(text))
	}
}

func TestALimitThatWasDeletedIsToldToTheLogOnce(t *testing.T) {
	var log record
	cfg := hourly(100)
	cfg.Logger = log.logger()
	l := newLab(t, 1, cfg)
	n := l.nodes[0].Node
	must(t, errorOf(n.SetLimit("extra", node.Policy{Limit: 1, Window: time.Minute})))
	l.run(time.Second)
	extra := n.MustLimiter("extra")
	must(t, errorOf(n.DeleteLimit("extra")))
	l.run(time.Second)
	log.take()
	for range 3 {
		if extra.Allow("alice") {
			t.Error("a limit that was deleted let one pass")
		}
		n.Do(node.Request{Client: "alice", Also: []node.Check{{Limit: "extra"}}})
	}
	text := log.take()
	if got := strings.Count(text, "limit=extra"); got != 1 {
		t.Errorf("told %d times, want once:\n%s", got, text)
	}
}

func TestMustLimiterPanicsForANameThatNoLimitHas(t *testing.T) {
	n := alone(t, node.Config{Limit: 1, Window: time.Minute, Limits: map[string]node.Policy{"login": {Limit: 2, Window: time.Minute}}})
	if !n.MustLimiter("login").Allow("alice") || !n.MustLimiter("").Allow("alice") {
		t.Error("a limit that there is denied its first request")
	}
	defer func() {
		if got, want := fmt.Sprint(recover()), `node: there is no limit "logn"; there are: default, login`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}()
	n.MustLimiter("logn")
	t.Error("a misspelt name did not panic")
}
