package node

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// MaxRoster caps Config.Roster. Raising it lets shares become smaller than one request; lowering
// it refuses clusters.
const MaxRoster = rights.MaxMembers

// lone reports whether the node has no network, so that nobody shares its limits.
func (c *Config) lone() bool {
	return c.Transport == nil && c.NATS.URL == "" && c.NATS.Conn == nil && !c.stepped
}

// refuseRoster refuses a roster that cannot be right.
func refuseRoster(c *Config, refuse func(field string, value any, reason string)) {
	for _, name := range c.Roster {
		if !deltasync.ValidName(name) {
			refuse("roster", fmt.Sprintf("%.80q", name), "must be names of nodes: 1 to 64 of A-Z, a-z, 0-9, _ and -")
			return
		}
	}
	sorted := slices.Sorted(slices.Values(c.Roster))
	switch n := len(sorted); {
	case n == 0:
	case n > MaxRoster:
		refuse("roster", n, fmt.Sprintf("must be at most %d names", MaxRoster))
	case len(slices.Compact(sorted)) < n:
		refuse("roster", c.Roster, "names a node twice")
	case !slices.Contains(c.Roster, c.Name):
		refuse("roster", c.Roster, "must name this node, "+c.Name+": give every node the same list, and each its -name")
	}
}

// refuseBounded refuses the limits that need a roster, where there is none. field names the field at
// fault; "" is that of a configuration.
func (c *Config) refuseBounded(limits map[string]Policy, field string) error {
	if len(c.Roster) > 0 || c.lone() {
		return nil
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if limits[name].Consistency == Bounded {
			faults = append(faults, &FieldError{
				Field: cmp.Or(field, "limits."+name+".consistency"), Value: Bounded,
				Reason: "needs the names of all nodes: set roster (-roster)",
			})
		}
	}
	return errors.Join(faults...)
}
