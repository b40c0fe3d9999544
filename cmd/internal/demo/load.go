package demo

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The rates of the clients. Modest clients stay within both limits at any node and in any
// stretch of time, so no node may ever deny them.
const (
	greedyClients = 4
	greedyRate    = 100 // a second for each client: ten times the first limit, and more than that of the second
	modestClients = 150
	modestEvery   = time.Second
)

// load is all requests, in the order of their times.
type load struct {
	clients []string // the greedy ones first
	hits    []hit
}

// hit is one request.
type hit struct {
	at     time.Duration
	client int
	node   int // the load balancer's choice
}

// clientNames are the ids of all clients, the greedy ones first.
func clientNames() (names []string) {
	for i := range greedyClients {
		names = append(names, fmt.Sprintf("greedy-%d", i+1))
	}
	for i := range modestClients {
		names = append(names, fmt.Sprintf("modest-%d", i+1))
	}
	return names
}

func newLoad(seed uint64, d time.Duration) *load {
	random := rand.New(rand.NewPCG(seed, 0xde30)) //nolint:gosec // repeatable on purpose
	l := &load{clients: clientNames()}
	for i := range greedyClients {
		l.add(random, i, d, func() time.Duration {
			return time.Duration(random.ExpFloat64() * float64(time.Second) / greedyRate)
		})
	}
	for i := range modestClients {
		l.add(random, greedyClients+i, d, func() time.Duration {
			return modestEvery/2 + time.Duration(random.Int64N(int64(modestEvery)))
		})
	}
	slices.SortStableFunc(l.hits, func(a, b hit) int { return cmp.Compare(a.at, b.at) })
	return l
}

// add adds a client's requests, one for each interval until d.
func (l *load) add(random *rand.Rand, client int, d time.Duration, gap func() time.Duration) {
	for at := gap(); at < d; at += gap() {
		l.hits = append(l.hits, hit{at, client, random.IntN(nodes)})
	}
}

func (l *load) modest(client int) bool { return client >= greedyClients }

// drive sends each request to its node when it is due, and tells the judge the answer. One
// goroutine sends them all, so that the judge knows their order. It keeps up, because a decision
// takes less than a microsecond.
func drive(ctx context.Context, l *load, c *cluster, j *judge, s *script) error {
	began := time.Now()
	for _, h := range l.hits {
		if wait := h.at - time.Since(began); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		s.advance(time.Since(began))
		j.heard(c.members[0].node().Changes())
		m := c.members[h.node]
		for i := 1; !m.inService.Load(); i++ { // the next one that is in service
			m = c.members[(h.node+i)%nodes]
		}
		n := m.node()
		t := time.Now().UnixNano()
		d := n.Do(node.Request{Client: l.clients[h.client]})
		j.decided(n, h.client, l.modest(h.client), t, d.Allowed)
	}
	s.advance(time.Since(began))
	return ctx.Err()
}
