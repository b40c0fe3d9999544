package node

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// topSize is how many clients' names one limit keeps.
const topSize = 128

// topEvery: a decision is offered to the table if the last offer is this long ago
// or, on a busier node, one in topShare; each stands for those since the last one.
const (
	topEvery = int64(1e6)
	topShare = 32
)

// top is a bounded table of a limit's heaviest clients by name, by the space-saving
// algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005) over sampled decisions.
// It is the only place that holds names. A decision never waits for it.
type top struct {
	mu      sync.Mutex
	clients map[string]*TopClient
	last    int64
	skipped int64
}

// TopClient is one of a limit's heaviest clients on this node. Counts are
// estimates: sampled, and for a client that came late, of what it displaced too.
type TopClient struct {
	Client  string
	Allowed uint64 // units
	Denied  uint64 // units
}

func (t *TopClient) weight() uint64 { return t.Allowed + t.Denied }

func (t *top) offer(client string, cost int64, allowed bool, now int64) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	t.skipped++
	if now-t.last < topEvery && t.skipped < topShare {
		return
	}
	units := uint64(cost * t.skipped) //nolint:gosec // cost is at most 2^53, and saturation does no harm here
	t.last, t.skipped = now, 0
	c := t.clients[client]
	if c == nil {
		c = t.add(client)
	}
	if allowed {
		c.Allowed += units
	} else {
		c.Denied += units
	}
}

// add makes room by taking over the place of the lightest client.
func (t *top) add(client string) *TopClient {
	client = strings.Clone(client)
	if t.clients == nil {
		t.clients = make(map[string]*TopClient, topSize)
	}
	if len(t.clients) < topSize {
		c := &TopClient{Client: client}
		t.clients[client] = c
		return c
	}
	var lightest *TopClient
	for _, c := range t.clients {
		if lightest == nil || c.weight() < lightest.weight() {
			lightest = c
		}
	}
	delete(t.clients, lightest.Client)
	lightest.Client = client
	t.clients[client] = lightest
	return lightest
}

func (t *top) list() []TopClient {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]TopClient, 0, len(t.clients))
	for _, c := range t.clients {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b TopClient) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), strings.Compare(a.Client, b.Client))
	})
	return out
}

// Top lists a limit's heaviest clients on this node, heaviest first.
func (n *Node) Top(limitName string) ([]TopClient, error) {
	l, err := n.known(limitName)
	if err != nil {
		return nil, err
	}
	return l.top.list(), nil
}
