package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// livez says that the process serves. It depends on nothing outside the process, and gives no
// reasons: who gets another answer starts the process anew, and that mends nothing of what can be
// wrong with a node that answers.
func (a *api) livez(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") }

// readyz says whether the node has joined its cluster and is not stopping, and if not, why. A node
// that is cut off is ready too, because it decides. Each reason why it is degraded has a line.
// ?verbose adds details.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	var b strings.Builder
	if err := a.node.Ready(); err != nil {
		status = http.StatusServiceUnavailable
		fmt.Fprintf(&b, "not ready: %v\n", err)
	} else {
		b.WriteString("ready\n")
	}
	for _, reason := range a.node.DegradedReasons() {
		means, until := node.DescribeDegraded(reason)
		fmt.Fprintf(&b, "degraded by %s: %s; until %s\n", reason, means, until)
	}
	if r.URL.Query().Has("verbose") {
		a.describeNode(&b)
	}
	text(w, status, b.String())
}

// describeNode writes in lines for people what else is known of the node. Programs read /v1/status.
func (a *api) describeNode(b *strings.Builder) {
	s, states := a.node.Stats(), map[node.PeerState]int{}
	for _, p := range s.Sync.Peers {
		states[p.State]++
	}
	fmt.Fprintf(b, "node: %s of cluster %s, version %s\n", s.Name, s.Cluster, a.version)
	fmt.Fprintf(b, "peers: %d alive, %d suspect, %d gone\n", states[node.PeerAlive], states[node.PeerSuspect], states[node.PeerGone])
	fmt.Fprintf(b, "connected: %t\nisolated: %t\ndegraded: %t\n", s.Sync.Connected, s.Isolated, s.Degraded)
	fmt.Fprintf(b, "clients: %d of at most %d\n", s.Clients, s.MaxClients)
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // an error means that the client has gone
}
