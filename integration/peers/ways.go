package main

import (
	"fmt"
	"os"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// ways are this project's other algorithms, and other ways to ask a node.
var ways = []subject{
	{name: "whole answer", open: way(nil, func(n *node.Node) allow {
		return func(client string) bool { return n.Take(client, 1).Allowed }
	})},
	{name: "a peer that hears of it", open: openPaired},
	{name: "fixed window", open: way(func(p *node.Policy) { p.Algorithm = node.FixedWindow }, nil)},
	{name: "sliding window", open: way(func(p *node.Policy) { p.Algorithm = node.SlidingWindow }, nil)},
	{name: "sliding window in 10 parts", open: way(func(p *node.Policy) { p.Algorithm, p.Resolution = node.SlidingWindow, 10 }, nil)},
	{name: "sliding window in 60 parts", open: way(func(p *node.Policy) { p.Algorithm, p.Resolution = node.SlidingWindow, 60 }, nil)},
	{name: "shadow", open: way(func(p *node.Policy) { p.Shadow = true }, nil)},
	{name: "three limits at once", open: way(nil, func(n *node.Node) allow {
		also := []node.Check{{Client: "tenant"}, {Client: "everybody"}}
		return func(client string) bool { return n.Do(node.Request{Client: client, Also: also}).Allowed }
	})},
	{name: "policy in the request", open: func(q quota) (allow, error) {
		p := &node.Policy{Limit: q.limit, Window: q.window}
		return way(nil, func(n *node.Node) allow {
			return func(client string) bool { return n.Do(node.Request{Client: client, Policy: p}).Allowed }
		})(q)
	}},
	{name: "reservation, then cancelled", open: way(nil, func(n *node.Node) allow {
		return func(client string) bool {
			r := n.Reserve(node.Request{Client: client})
			r.Cancel()
			return r.Allowed
		}
	})},
}

// way opens a node with a changed policy, and asks it in some way; nil for no change, and for
// Allow.
func way(change func(*node.Policy), ask func(*node.Node) allow) func(q quota) (allow, error) {
	return func(q quota) (allow, error) {
		p := node.Policy{Limit: q.limit, Window: q.window}
		if change != nil {
			change(&p)
		}
		n, err := opened(node.Config{Name: "ways", Limits: map[string]node.Policy{node.DefaultLimit: p}})
		if err != nil {
			return nil, err
		}
		if ask == nil {
			return n.Allow, nil
		}
		return ask(n), nil
	}
}

// openPaired is a node with a peer in the same process, so its figure holds what both do.
func openPaired(q quota) (allow, error) {
	var network node.Memory
	var first *node.Node
	for _, name := range []string{"asked", "peer"} {
		n, err := opened(node.Config{Name: name, Limit: q.limit, Window: q.window, Transport: network.Transport()})
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = n
		}
	}
	for start := time.Now(); len(first.Stats().Sync.Peers) == 0 || first.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			return nil, fmt.Errorf("the nodes do not hear each other")
		}
	}
	return first.Allow, nil
}

// wayTable has a row for each way and a column for a client that is let pass and for one that
// is denied.
func wayTable(rounds int) (string, error) {
	both := loads(1)[:2]
	t := table{head: []string{"this project", both[0].name, both[1].name, "objects a decision"}}
	clients := ids(1)
	for i := range ways {
		s := &ways[i]
		row := []string{s.name}
		for j := range both {
			fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, both[j].name)
			_, ratio, err := both[j].compare(s, rounds, clients)
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.name, err)
			}
			row = append(row, ratio.String())
		}
		objects, err := allocations(s, clients[0])
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(append(row, fmt.Sprintf("%.0f", objects))...)
	}
	return t.String(), nil
}
