package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Every other node says in its log what somebody changed, once, and names no client.
func TestANodeLogsWhatItsPeersChange(t *testing.T) {
	var log record
	l := newLab(t, 2, node.Config{Limits: file(map[string]int64{"default": 10})})
	l.join(node.Config{Limits: file(map[string]int64{"default": 10}), Logger: log.logger()})
	l.run(3 * time.Second)
	a := l.nodes[0].Node
	hourly := node.Policy{Limit: 5, Window: time.Hour}
	named := hourly
	named.Overrides = []node.Override{{Clients: []string{"alice"}, Access: node.Blocked}}
	bob := hourly
	bob.Overrides = []node.Override{{Clients: []string{"bob"}, Access: node.Blocked}}
	for _, c := range []struct {
		change func() error
		want   string
	}{
		{func() error { return errorOf(a.SetLimit("new", hourly)) }, `limit=new old=none new="5 per 1h"`},
		{func() error { return errorOf(a.SetLimit("new", named)) }, `limit=new old="5 per 1h" new="5 per 1h, overrides 1"`},
		{func() error { return errorOf(a.SetLimit("new", bob)) }, `old="5 per 1h, overrides 1" new="5 per 1h, overrides 1, in other words or for other clients"`},
		{func() error { return errorOf(a.DeleteLimit("new")) }, `limit=new old="5 per 1h, overrides 1" new=none`},
		{func() error { return errorOf(a.SetLimit("default", hourly)) }, `limit=default old="10 per 100h" new="5 per 1h"`},
		{func() error { return errorOf(a.DeleteLimit("default")) }, `limit=default old="5 per 1h" new="10 per 100h"`},
		{func() error { return errorOf(a.Configure(file(map[string]int64{"default": 20}))) }, `limit=default old="10 per 100h" new="20 per 100h"`},
	} {
		log.take()
		must(t, c.change())
		l.run(3 * time.Second)
		text := log.take()
		if strings.Count(text, "limit changed by a peer") != 1 || !strings.Contains(text, c.want) || strings.Contains(text, "alice") || strings.Contains(text, "bob") {
			t.Errorf("%swant %s", text, c.want)
		}
	}
}
