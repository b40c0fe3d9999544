package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// livez says that the process serves. It depends on nothing outside the process.
func (a *api) livez(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") }

// readyz says whether the node has joined its cluster and is not stopping. A node that
// is cut off is ready too, because it decides. ?verbose adds details.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	status, line := http.StatusOK, "ready\n"
	if err := a.node.Ready(); err != nil {
		status, line = http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n"
	}
	if r.URL.Query().Has("verbose") {
		line += a.verbose()
	}
	text(w, status, line)
}

// verbose says in lines for people what readyz leaves out. Programs read /v1/status.
func (a *api) verbose() string {
	s := a.node.Stats()
	states := map[node.PeerState]int{}
	for _, p := range s.Sync.Peers {
		states[p.State]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "node: %s of cluster %s, version %s\n", s.Name, s.Cluster, a.version)
	fmt.Fprintf(&b, "peers: %d alive, %d suspect, %d gone\n", states[node.PeerAlive], states[node.PeerSuspect], states[node.PeerGone])
	fmt.Fprintf(&b, "connected: %t\nisolated: %t\ndegraded: %t\n", s.Sync.Connected, s.Isolated, s.Degraded)
	if s.Degraded {
		fmt.Fprintf(&b, "degraded by: %s\n", strings.Join(s.DegradedReasons, ", "))
	}
	fmt.Fprintf(&b, "clients: %d of at most %d\n", s.Clients, s.MaxClients)
	return b.String()
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // an error means that the client has gone
}
