package httpapi

import (
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// forget removes a silent node from this node's list of members. Until then, on_isolation
// takes its silence for a partition. An operator has to tell every node.
func (a *api) forget(w http.ResponseWriter, r *http.Request) {
	name := ""
	if p := readInput(w, r, []spec.Field{{Name: "node", Into: &name}}, nil); p != nil {
		p.write(w)
		return
	}
	if name == "" {
		(&problem{Status: http.StatusBadRequest, Field: "node", Detail: "node: must be the name of a node"}).write(w)
		return
	}
	known := a.node.Forget(name)
	if known {
		a.log.Warn("node removed from the list of members", "peer", name)
	}
	ok(w, map[string]any{"forgotten": known, "node": name})
}
