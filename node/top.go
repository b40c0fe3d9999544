package node

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// topSize is how many clients' names one limit keeps.
const topSize = 128

// top is a bounded table of a limit's heaviest clients by name, by the space-saving
// algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005) over sampled decisions.
// It is the only place that holds names. A decision never waits for it.
type top struct {
	mu      sync.Mutex
	clients []TopClient // at most topSize
	at      map[string]int
}

// TopClient is one of a limit's heaviest clients on this node, since its start.
// Counts are estimates: sampled on a busy node, and for a client that came late, of
// what it displaced too.
type TopClient struct {
	Client  string
	Allowed uint64 // units
	Denied  uint64 // units
}

func (t *TopClient) weight() uint64 { return t.Allowed + t.Denied }

// offer counts units for the client, unless somebody else is at it.
func (t *top) offer(client string, units uint64, allowed bool) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	i, ok := t.at[client]
	if !ok {
		i = t.add(strings.Clone(client))
	}
	if allowed {
		t.clients[i].Allowed += units
	} else {
		t.clients[i].Denied += units
	}
}

// add makes room by taking over the place, and the count, of the lightest client.
func (t *top) add(client string) int {
	if t.at == nil {
		t.at = make(map[string]int, topSize)
	}
	i := len(t.clients)
	if i < topSize {
		t.clients = append(t.clients, TopClient{})
	} else {
		i = 0
		for j := range t.clients {
			if t.clients[j].weight() < t.clients[i].weight() {
				i = j
			}
		}
		delete(t.at, t.clients[i].Client)
	}
	t.clients[i].Client = client
	t.at[client] = i
	return i
}

func (t *top) list() []TopClient {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.clients)
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
	return l.account.top.list(), nil
}
