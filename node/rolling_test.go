package node_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// logged is a log that several goroutines write.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// While a file is rolled out node by node, all nodes decide alike, and nobody warns. Nodes
// that do decide differently say so, and say when they do not any more.
func TestNodesWarnOfOtherLimitsOnlyWhileTheyDecideDifferently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		var log logged
		open := func(name string, limit int64) *node.Node {
			n, err := node.Open(t.Context(), node.Config{
				Name: name, Limits: limited(limit), Transport: network.Transport(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			must(t, err)
			return n
		}
		a, b := open("a", 10), open("b", 10)
		defer func() { _ = a.Close() }()
		time.Sleep(3 * time.Second)
		log.take()
		told := func(when string, other, again bool) {
			t.Helper()
			text := log.take()
			if strings.Contains(text, "peer has other limits") != other || strings.Contains(text, "peer has the same limits again") != again {
				t.Errorf("%s: %s", when, text)
			}
			if differ := a.Stats().Sync.Peers[0].OtherLimits; other && !differ || again && differ {
				t.Errorf("%s: differs: %v", when, differ)
			}
		}
		for _, n := range []*node.Node{a, b} { // a rolling change
			_, err := n.Configure(limited(20))
			must(t, err)
			time.Sleep(5 * time.Second)
			told("a rolling change", false, false)
		}
		_, err := b.SetLimit("api", limited(5)["api"])
		must(t, err)
		time.Sleep(3 * time.Second)
		told("a set limit", false, false)
		_, err = b.DeleteLimit("api")
		must(t, err)
		time.Sleep(3 * time.Second)
		must(t, b.Close())
		time.Sleep(time.Second)
		log.take()
		b = open("b", 20)
		time.Sleep(3 * time.Second)
		told("a restart", false, false)
		must(t, b.Close())
	})
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		var log logged
		open := func(name string, limit int64) *node.Node {
			n, err := node.Open(t.Context(), node.Config{
				Name: name, Limits: limited(limit), Transport: network.Transport(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			must(t, err)
			return n
		}
		a, b := open("a", 10), open("b", 20)
		defer func() { _ = a.Close() }()
		time.Sleep(3 * time.Second)
		if text := log.take(); !strings.Contains(text, "peer has other limits") {
			t.Errorf("nodes that differ: %s", text)
		}
		must(t, b.Close()) // a restart with the right file
		time.Sleep(time.Second)
		b = open("b", 10)
		defer func() { _ = b.Close() }()
		time.Sleep(3 * time.Second)
		if text := log.take(); !strings.Contains(text, "peer has the same limits again") || strings.Contains(text, "other limits") {
			t.Errorf("after the restart: %s", text)
		}
	})
}

func limited(n int64) map[string]node.Policy {
	return map[string]node.Policy{"api": {Limit: n, Window: time.Minute}}
}
