// Package top lists the clients of a limit that use the most of it, within a fixed amount
// of memory and without slowing decisions down.
package top

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// Size is how many clients one list names. Raising it makes the counts of the lightest
// ones better and costs about 100 bytes and a longer search for each place; lowering it
// lets a crowd of clients that come once push regular ones out.
const Size = 128

// Clients is a bounded list of the heaviest clients by name. It is the space-saving
// algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005) with randomized admission (Ben Basat
// and others, INFOCOM 2017) over sampled decisions: a newcomer of w units takes the place of
// the lightest client, of m units, with a chance of w/(m+w). So of a crowd of clients that
// come once hardly any costs more than a look-up. It alone holds names: everything else in a
// node knows clients by hash. The zero value is empty and ready. Safe for concurrent use.
type Clients struct {
	mu      sync.Mutex
	clients []Client       // len <= Size
	at      map[string]int // clients[at[name]].Name == name, for each of clients
	// least is the weight of the lightest client when the list was last searched for it, 0
	// while there is room. Weights only grow, so it is at most that of every client.
	least  uint64
	random uint64 // state of the generator
}

// Client is one client and what it used. Counts are estimates: Offer is given samples, and
// a client that came late took over the count of the one that it displaced, for all those
// that came late and were not taken in.
type Client struct {
	Name    string
	Allowed uint64 // units
	Denied  uint64 // units
}

func (c *Client) weight() uint64 { return c.Allowed + c.Denied }

// Offer counts units for the client, under the text that its id counts as; group is nil if
// the id counts as itself. It does not wait: while somebody else holds the list it counts
// nothing. It allocates nothing for a client that is listed.
func (t *Clients) Offer(client string, group []byte, units uint64, allowed bool) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	i, ok := t.at[client]
	if group != nil {
		i, ok = t.at[string(group)]
	}
	if !ok {
		if !t.admits(units) {
			return
		}
		if group != nil {
			client = string(group)
		}
		i = t.add(strings.Clone(client))
	}
	if allowed {
		t.clients[i].Allowed += units
	} else {
		t.clients[i].Denied += units
	}
}

// admits throws the dice for a newcomer of so many units.
func (t *Clients) admits(units uint64) bool {
	if t.least == 0 {
		return true
	}
	t.random = t.random*6364136223846793005 + 1442695040888963407 // as Sampler does
	hi, _ := bits.Mul64(t.random, t.least+units)
	return hi < units
}

// add makes room by taking over the place, and the count, of the lightest client.
func (t *Clients) add(client string) int {
	if t.at == nil {
		t.at = make(map[string]int, Size)
	}
	i := len(t.clients)
	if i < Size {
		t.clients = append(t.clients, Client{})
	} else {
		i = 0
		for j := range t.clients {
			if t.clients[j].weight() < t.clients[i].weight() {
				i = j
			}
		}
		delete(t.at, t.clients[i].Name)
		t.least = t.clients[i].weight()
	}
	t.clients[i].Name = client
	t.at[client] = i
	return i
}

// List is the clients so far, heaviest first.
func (t *Clients) List() []Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.clients)
	slices.SortFunc(out, func(a, b Client) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), strings.Compare(a.Name, b.Name))
	})
	return out
}
