package httpapi

import (
	"cmp"
	"math"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// explanation is the answer of GET /v1/explain: which policy holds for the client and why, what a take
// of one unit would get now, and what the windows that count hold, by the node that admitted it.
type explanation struct {
	Client   string             `json:"client"`
	Limit    string             `json:"limit"`
	CountsAs string             `json:"counts_as"` // the client's id, or its network's
	Override *explainedOverride `json:"override"`  // null: the limit's own policy holds
	Policy   spec.Limit         `json:"policy"`
	Since    *time.Time         `json:"since"` // null: as configured
	Decision decision           `json:"decision"`
	FullAt   *time.Time         `json:"full_at"` // null: nothing is counted
	Held     bool               `json:"held"`    // this node counts something for the client
	Shared   bool               `json:"shared"`  // the client found no room and shares an entry
	Reset    *time.Time         `json:"reset"`   // null: never, as far as is known
	Windows  []explainedWindow  `json:"windows"`
	Account  *explainedAccount  `json:"account,omitempty"` // of a bounded limit
}

// explainedAccount is what the answering node may admit to the client by itself, in units.
type explainedAccount struct {
	Own      float64 `json:"own_units"`      // its own, below 0 while it is on credit
	Borrowed float64 `json:"borrowed_units"` // of other nodes, and not used yet
	Room     float64 `json:"room_units"`     // the most that it can own; 0 if it has no share of this client
	Credit   float64 `json:"credit_units"`   // how far it may be below 0
	Lent     float64 `json:"lent_units"`     // to other nodes, as far as it knows
}

// explainedOverride is the override for the client, with the selector that matches if the
// node can tell.
type explainedOverride struct {
	Index    int    `json:"index"`
	Name     string `json:"name,omitempty"`
	Selector string `json:"selector,omitempty"`
	Value    string `json:"value,omitempty"`
}

// explainedWindow is one window that counts. It ends at End, exclusively.
type explainedWindow struct {
	Start  time.Time        `json:"start"`
	End    time.Time        `json:"end"`
	Before uint64           `json:"before_units"` // used before the limit changed
	Nodes  []explainedShare `json:"nodes"`
}

// explainedShare is what one run of a node counted in a window, in units.
type explainedShare struct {
	Node        string `json:"node"` // "" if this node no longer knows the name
	Incarnation string `json:"incarnation"`
	Admitted    uint64 `json:"admitted_units"`
	GivenBack   uint64 `json:"given_back_units"`
}

// explain answers why a client stands where it stands. It does not redact the client's
// name, because the caller knows it.
func (a *api) explain(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readQuery(r, q.fields()[:2], nil); p != nil {
		p.write(w)
		return
	}
	asked := q.limit
	q.limit = cmp.Or(q.limit, node.DefaultLimit)
	x, err := a.node.Explain(q.limit, q.client)
	if err != nil {
		a.failed(asked, q.limit, err).write(w)
		return
	}
	zone := zoneOf(&x.Policy)
	out := explanation{
		Client: q.client, Limit: q.limit, CountsAs: cmp.Or(x.CountsAs, q.client), Policy: spec.LimitOf(x.Policy),
		Since: instant(x.Since), Decision: decisionOf(x.Decision), FullAt: instantIn(zone, x.FullAt), Held: x.Held, Shared: x.Shared,
		Reset: instant(x.Reset), Windows: []explainedWindow{},
	}
	if r := x.Right; r != nil {
		out.Account = &explainedAccount{round(r.Own), round(r.Borrowed), round(r.Room), round(r.Credit), round(r.Lent)}
	}
	if x.Override >= 0 {
		out.Override = &explainedOverride{Index: x.Override}
		if p := a.node.Limits()[q.limit]; x.Override < len(p.Overrides) {
			out.Override.Name = p.Overrides[x.Override].Name
			out.Override.Selector, out.Override.Value = p.Selector(x.Override, q.client)
		}
	}
	for _, win := range x.Windows {
		one := explainedWindow{Start: win.Start.In(zone), End: win.End.In(zone), Before: win.Before, Nodes: []explainedShare{}}
		for _, s := range win.Shares {
			one.Nodes = append(one.Nodes, explainedShare{Node: s.Node, Incarnation: incarnation(s.Replica), Admitted: s.Admitted, GivenBack: s.GivenBack})
		}
		out.Windows = append(out.Windows, one)
	}
	ok(w, out)
}

// round keeps three digits after the point: more say nothing of units.
func round(units float64) float64 { return math.Round(units*1e3) / 1e3 }

// zoneOf is the zone of a policy's windows: midnight in it reads as midnight.
func zoneOf(p *node.Policy) *time.Location {
	if zone, err := time.LoadLocation(p.TimeZone); err == nil {
		return zone
	}
	return time.UTC
}

// instant returns nil for the zero time.
func instant(t time.Time) *time.Time { return instantIn(time.UTC, t) }

// instantIn is instant in a zone.
func instantIn(zone *time.Location, t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone)
	return &t
}
