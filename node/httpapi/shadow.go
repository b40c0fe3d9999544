package httpapi

import (
	"cmp"
	"math"
	"net/http"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// shadowReport is what one shadow limit would have denied at this node since its start.
type shadowReport struct {
	// Checked counts decisions, and Denied those of them that would have been denials.
	Checked uint64  `json:"checked"`
	Denied  uint64  `json:"would_deny"`
	Percent float64 `json:"percent"` // of the decisions
	// CheckedUnits and DeniedUnits are the same in units of cost.
	CheckedUnits uint64         `json:"checked_units"`
	DeniedUnits  uint64         `json:"would_deny_units"`
	Clients      []shadowClient `json:"clients"` // the most denied first
	// ByOverride has the part of the overrides that have a name.
	ByOverride map[string]shadowPart `json:"by_override,omitempty"`
}

// shadowPart is the part of one override.
type shadowPart struct {
	Checked      uint64 `json:"checked"`
	Denied       uint64 `json:"would_deny"`
	CheckedUnits uint64 `json:"checked_units"`
	DeniedUnits  uint64 `json:"would_deny_units"`
}

// shadowClient is one of the clients that a shadow limit would have denied the most. Its counts are
// estimates, as those of /v1/top are.
type shadowClient struct {
	Client  string `json:"client"`
	Denied  uint64 `json:"would_deny_units"`
	Allowed uint64 `json:"allowed_units"`
}

// shadow reports on all shadow limits at once: what would change for whom if they were switched on.
func (a *api) shadow(w http.ResponseWriter, _ *http.Request) {
	limits := map[string]shadowReport{}
	for _, l := range a.node.Stats().Limits {
		if !l.Policy.Shadow {
			continue
		}
		r := shadowReport{
			Checked: l.Allowed + l.Denied, Denied: l.Shadowed, Percent: shadowPercent(&l),
			CheckedUnits: l.AllowedUnits + l.DeniedUnits, DeniedUnits: l.ShadowedUnits, Clients: []shadowClient{},
		}
		for _, o := range l.Overrides {
			if r.ByOverride == nil {
				r.ByOverride = map[string]shadowPart{}
			}
			r.ByOverride[o.Name] = shadowPart{Checked: o.Allowed + o.Denied, Denied: o.Shadowed, CheckedUnits: o.AllowedUnits + o.DeniedUnits, DeniedUnits: o.ShadowedUnits}
		}
		clients, err := a.node.Top(l.Name)
		if err != nil {
			continue // somebody deleted it meanwhile
		}
		clients = denied(clients)
		for _, c := range clients[:min(len(clients), mostTop)] {
			r.Clients = append(r.Clients, shadowClient{Client: a.redact.Of(c.Client), Denied: c.Denied, Allowed: c.Allowed})
		}
		limits[l.Name] = r
	}
	ok(w, map[string]any{"limits": limits})
}

// shadowPercent is the share of decisions that would have been denials, in percent,
// rounded to two places.
func shadowPercent(l *node.LimitStats) float64 {
	if l.Shadowed == 0 {
		return 0
	}
	return math.Round(1e4*float64(l.Shadowed)/float64(l.Allowed+l.Denied)) / 100
}

// denied picks the clients with denied units, the most denied first.
func denied(clients []node.TopClient) []node.TopClient {
	out := slices.DeleteFunc(slices.Clone(clients), func(c node.TopClient) bool { return c.Denied == 0 })
	slices.SortStableFunc(out, func(x, y node.TopClient) int { return cmp.Compare(y.Denied, x.Denied) })
	return out
}
