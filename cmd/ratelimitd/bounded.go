package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// bounded refuses limits that need the names of all nodes, where nobody gives them.
func (p *plan) bounded(limits map[string]node.Policy) error {
	if len(p.node.Roster) > 0 || p.link == nil || !p.link.peers {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if limits[name].Consistency == node.Bounded {
			return fmt.Errorf("limits.%s.consistency %v: needs the names of all nodes: set roster (-roster)", name, node.Bounded)
		}
	}
	return nil
}
