package lending

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// MaxRoster caps a roster. Raising it lets shares become smaller than one request; lowering it
// refuses clusters.
const MaxRoster = rights.MaxMembers

// Refuse says what is wrong with a node's roster: the value at fault and why, "" if nothing is.
func Refuse(roster []string, self string) (value any, reason string) {
	for _, name := range roster {
		if !deltasync.ValidName(name) {
			return fmt.Sprintf("%.80q", name), "must be names of nodes: 1 to 64 of A-Z, a-z, 0-9, _ and -"
		}
	}
	sorted := slices.Sorted(slices.Values(roster))
	switch n := len(sorted); {
	case n == 0:
	case n > MaxRoster:
		return n, fmt.Sprintf("must be at most %d names", MaxRoster)
	case len(slices.Compact(sorted)) < n:
		return roster, "names a node twice"
	case !slices.Contains(roster, self):
		return roster, "must name this node, " + self + ": give every node the same list, and each its -name"
	}
	return nil, ""
}

// Lacks refuses the bounded ones among limits, where there is no roster to share them. field names the
// field at fault; "" is that of a configuration.
func Lacks(limits map[string]limit.Policy, field string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if limits[name].Consistency == limit.Bounded {
			faults = append(faults, &limit.FieldError{
				Field: cmp.Or(field, "limits."+name+".consistency"), Value: limit.Bounded,
				Reason: "needs the names of all nodes: set roster (-roster)",
			})
		}
	}
	return errors.Join(faults...)
}
