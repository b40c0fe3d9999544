package httpapi

import (
	"cmp"
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// mostTop caps each list of GET /v1/top. Raising it makes answers longer, each client of which takes a
// look at the table. Lowering it hides clients from whoever looks for a culprit.
const mostTop = 50

// topClient is one of the heaviest clients. Allowed and Denied are estimates of what this node decided
// since its start.
type topClient struct {
	Client  string `json:"client"`
	Allowed uint64 `json:"allowed_units"`
	Denied  uint64 `json:"denied_units"`
	// Cluster is what all nodes admitted in the windows that count, and Nodes what each did.
	Cluster uint64            `json:"cluster_units"`
	Nodes   map[string]uint64 `json:"nodes"`
}

// top lists two kinds of clients of a limit at this node: those that asked for the most,
// and those that were denied the most. Both are estimates.
func (a *api) top(w http.ResponseWriter, r *http.Request) {
	asked := ""
	if p := readQuery(r, []spec.Field{{Name: "limit", Into: &asked}}, nil); p != nil {
		p.write(w)
		return
	}
	limit := cmp.Or(asked, node.DefaultLimit)
	clients, err := a.node.Top(limit)
	if err != nil {
		a.failed(asked, limit, err).write(w)
		return
	}
	ok(w, map[string]any{"limit": limit, "heaviest": a.topOf(limit, clients), "most_denied": a.topOf(limit, denied(clients))})
}

// topOf adds to each client what all nodes admitted to it. That is exact as far as this node has heard.
func (a *api) topOf(limit string, clients []node.TopClient) []topClient {
	out := []topClient{}
	for _, c := range clients[:min(len(clients), mostTop)] {
		one := topClient{Client: a.redact.Of(c.Client), Allowed: c.Allowed, Denied: c.Denied, Nodes: map[string]uint64{}}
		if x, err := a.node.Explain(limit, c.Client); err == nil { // else somebody deleted the limit meanwhile
			one.Nodes = x.ByNode()
		}
		for _, units := range one.Nodes {
			one.Cluster += units
		}
		out = append(out, one)
	}
	return out
}
