package dashboard

import (
	"cmp"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// listed caps each of a limit's two lists of clients. Raising it makes each stream look at more
// clients every second.
const listed = 20

// clientsMoment is what the heaviest clients of a limit had used at one time.
type clientsMoment struct {
	at   time.Time
	used map[string]node.TopClient
	full bool // there may have been more clients
}

// addClients takes over the heaviest clients of a limit.
func (r *recorder) addClients(limit string, clients []node.TopClient, at time.Time) {
	m := clientsMoment{at: at, used: make(map[string]node.TopClient, len(clients)), full: len(clients) >= node.MaxTop}
	for _, c := range clients {
		m.used[c.Client] = c
	}
	if r.clients == nil {
		r.clients = map[string][]clientsMoment{}
	}
	r.clients[limit] = keepLast(append(r.clients[limit], m), lookback+1)
	for name, all := range r.clients { // limits that are busy no more
		if at.Sub(all[len(all)-1].at) > 2*lookback*clientsEvery*sampleEvery {
			delete(r.clients, name)
		}
	}
}

// client is one row of a list. Rates are units a second over the last minute, at this node.
type client struct {
	id   string
	Name string `json:"name"` // the id, or a made-up name

	Allowed        uint64 `json:"allowed_units"` // at this node since its start, an estimate
	Denied         uint64 `json:"denied_units"`
	AllowedPerS    value  `json:"allowed_per_s"`
	DeniedPerS     value  `json:"denied_per_s"`
	AskedPerS      value  `json:"asked_per_s"` // of all nodes, by this node's share of what they admitted
	Remaining      int64  `json:"remaining"`
	Passes         bool   `json:"passes"` // a request for one unit would pass now
	RetryMS        int64  `json:"retry_after_ms"`
	Override       int    `json:"override"` // its index, -1 for none
	Rule           string `json:"rule"`     // that decides on the client
	QuotaPerSecond value  `json:"quota_per_s"`

	// Nodes are the units that each node admitted in the windows that count, by its name.
	Nodes map[string]uint64 `json:"nodes"`
}

// rates sets what the client was allowed and denied a second, from the counts of a minute ago or
// as long as it was listed. Who was not on a list that had room had used nothing by then.
func (c *client) rates(past []clientsMoment, at time.Time) {
	for _, m := range past {
		was, listed := m.used[c.id]
		if !listed && m.full {
			continue
		}
		if seconds := at.Sub(m.at).Seconds(); seconds > 0 {
			c.AllowedPerS = value(perSecond(c.Allowed, was.Allowed, seconds))
			c.DeniedPerS = value(perSecond(c.Denied, was.Denied, seconds))
		}
		return
	}
}

// detail is what a stream shows of one limit beside its history.
type detail struct {
	Heaviest   []client          `json:"heaviest"`
	MostDenied []client          `json:"most_denied"`
	Shares     map[string]uint64 `json:"shares"` // units of the listed clients in the windows that count, by node
}

// detailOf looks at the heaviest clients of a limit, and at those that are denied the most. The
// caller holds d.mu.
func (d *Dashboard) detailOf(limit string) *detail {
	if known := d.detail[limit]; known != nil {
		return known
	}
	out := &detail{Heaviest: []client{}, MostDenied: []client{}, Shares: map[string]uint64{}}
	d.detail[limit] = out
	top, err := d.cfg.Node.Top(limit)
	if err != nil {
		return out
	}
	at, past := time.Now(), d.past.clients[limit]
	rows := make([]client, len(top))
	for i, c := range top {
		rows[i] = client{id: c.Client, Name: d.redact.Of(c.Client), Allowed: c.Allowed, Denied: c.Denied, Override: -1}
		rows[i].rates(past, at)
	}
	// Who is heavy now comes first, and who was heavy before stays below.
	byRate := func(of func(*client) (value, uint64)) []client {
		sorted := slices.Clone(rows)
		slices.SortStableFunc(sorted, func(a, b client) int {
			rateA, sumA := of(&a)
			rateB, sumB := of(&b)
			return cmp.Or(cmp.Compare(rateB, rateA), cmp.Compare(sumB, sumA))
		})
		return sorted[:min(listed, len(sorted))]
	}
	out.Heaviest = byRate(func(c *client) (value, uint64) { return c.AllowedPerS + c.DeniedPerS, c.Allowed + c.Denied })
	out.MostDenied = slices.DeleteFunc(byRate(func(c *client) (value, uint64) { return c.DeniedPerS, c.Denied }), func(c client) bool { return c.Denied == 0 })
	seen := map[string]*client{}
	for _, list := range [][]client{out.Heaviest, out.MostDenied} {
		for i := range list {
			c := &list[i]
			if known := seen[c.id]; known != nil {
				*c = *known
				continue
			}
			seen[c.id] = c
			d.explain(limit, c)
			for name, units := range c.Nodes {
				out.Shares[name] += units
			}
		}
	}
	return out
}

// explain adds what the node knows of the client now.
func (d *Dashboard) explain(limit string, c *client) {
	x, err := d.cfg.Node.Explain(limit, c.id)
	if err != nil {
		return
	}
	c.Passes, c.Remaining, c.RetryMS = x.Allowed, x.Remaining, x.RetryAfter.Milliseconds()
	c.Override, c.Rule = x.Override, ruleOf(&x.Policy)
	if x.Policy.Window > 0 {
		c.QuotaPerSecond = value(float64(x.Policy.Limit) / x.Policy.Window.Seconds())
	}
	c.Nodes = x.ByNode()
	all := uint64(0)
	for _, units := range c.Nodes {
		all += units
	}
	c.AskedPerS = c.AllowedPerS + c.DeniedPerS
	if own := c.Nodes[d.past.now.Name]; own > 0 {
		c.AskedPerS *= value(float64(all) / float64(own))
	}
}

// ruleOf is a policy in words, without what its overrides say.
func ruleOf(p *node.Policy) string {
	alone := *p
	alone.Overrides = nil
	return alone.String()
}
