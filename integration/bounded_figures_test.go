package integration_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The figures of docs/bounded.md: real nodes on a network that takes 1 to 3 ms, in virtual time, under
// a limit of 100 per 10 s without an excess. Beside them is one node that gets all requests, which is
// the central limiter.

const (
	figureBurst  = 100
	figureWindow = 10 * time.Second
	figureTime   = 2 * figureWindow
	// figureClients ask at one time, each for itself: more of them are a larger sample.
	figureClients = 10
)

// late delivers what it is given 1 to 3 ms later, in order.
type late struct {
	node.Transport

	mu     sync.Mutex
	random *rand.Rand
	until  time.Time
}

func (l *late) Publish(subject string, data []byte) error {
	data = append([]byte(nil), data...)
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now().Add(time.Millisecond + time.Duration(l.random.Int64N(int64(2*time.Millisecond))))
	if at.Before(l.until) {
		at = l.until
	}
	l.until = at
	time.AfterFunc(time.Until(at), func() { _ = l.Transport.Publish(subject, data) }) // a node that is gone hears nothing
	return nil
}

// figures are a cluster and the central limiter.
type figures struct {
	t       *testing.T
	nodes   []*node.Node
	central *node.Node
	random  *rand.Rand
	clients int
	// each is the mean time between two requests of a client that keeps to the limit.
	each time.Duration
}

// withFigures runs a test on n nodes whose accounts are full.
func withFigures(t *testing.T, n int, test func(f *figures)) {
	t.Helper()
	withLimit(t, n, figureBurst, figureWindow, figureClients, test)
}

// withLimit is withFigures under another limit.
func withLimit(t *testing.T, n int, limit int64, window time.Duration, clients int, test func(f *figures)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &figures{t: t, random: rand.New(rand.NewPCG(uint64(n), 1)), clients: clients, each: window / time.Duration(limit)} //nolint:gosec // repeatable on purpose
		var network node.Memory
		var roster []string
		for i := range n {
			roster = append(roster, fmt.Sprintf("n%d", i))
		}
		open := func(cfg node.Config) *node.Node {
			p := node.Policy{Limit: limit, Window: window}
			if cfg.Transport != nil {
				p.Consistency = node.Bounded
			}
			cfg.Limits = map[string]node.Policy{node.DefaultLimit: p}
			m, err := node.Open(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		f.central = open(node.Config{})
		for i, name := range roster {
			f.nodes = append(f.nodes, open(node.Config{
				Name: name, Roster: roster,
				Transport: &late{Transport: network.Transport(), random: rand.New(rand.NewPCG(uint64(i), 2))}, //nolint:gosec // repeatable on purpose
			}))
		}
		defer func() {
			_ = f.central.Close()
			for _, m := range f.nodes {
				_ = m.Close()
			}
			time.Sleep(time.Second) // what is under way arrives
		}()
		time.Sleep(4 * window)
		test(f)
	})
}

// spread says which node gets a request.
type spread struct {
	name string
	pick func(f *figures) int
}

var spreads = []spread{
	{"one node", func(*figures) int { return 0 }},
	{"zipf", func(f *figures) int { // the k-th node gets a part of 1 to the power of 1.2
		x := f.random.Float64()
		sum := 0.0
		for k := range f.nodes {
			sum += math.Pow(float64(k+1), -1.2)
		}
		for k := range f.nodes {
			if x -= math.Pow(float64(k+1), -1.2) / sum; x < 0 {
				return k
			}
		}
		return 0
	}},
	{"uniform", func(f *figures) int { return f.random.IntN(len(f.nodes)) }},
}

// offer lets each client ask at a multiple of the limit's rate for d, at random. It returns how many
// requests the central limiter admitted, the cluster did, and the cluster denied of the former.
func (f *figures) offer(times float64, d time.Duration, s spread) (central, admitted, missed int) {
	return f.ask(times, d, s, (*node.Node).Allow)
}

// ask is offer by another call.
func (f *figures) ask(times float64, d time.Duration, s spread, call func(*node.Node, string) bool) (central, admitted, missed int) {
	mean := float64(f.each) / times / float64(f.clients)
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Duration(f.random.ExpFloat64() * mean))
		client := fmt.Sprintf("%s %d", s.name, f.random.IntN(f.clients))
		there, here := f.central.Allow(client), call(f.nodes[s.pick(f)], client)
		if there {
			central++
		}
		if here {
			admitted++
		}
		if there && !here {
			missed++
		}
	}
	return central, admitted, missed
}

func TestBoundedFigures(t *testing.T) {
	var table strings.Builder
	row := func(load string, n int, of, got float64, least float64) {
		part := got / of
		verdict := ""
		if part < least {
			verdict = "TOO LITTLE"
			t.Errorf("%s, %d nodes: %.4f of central, want %.4f", load, n, part, least)
		}
		fmt.Fprintf(&table, "%-42s N = %d   %.4f  (at least %.4f) %s\n", load, n, part, least, verdict)
	}
	for _, n := range []int{3, 8} {
		withFigures(t, n, func(f *figures) {
			for _, s := range spreads {
				central, _, missed := f.offer(0.8, figureTime, s)
				row("0.8 of the rate, "+s.name, n, float64(central), float64(central-missed), 0.999)
			}
			for _, s := range spreads {
				f.offer(3, figureTime, s) // the buckets are empty
				central, admitted, _ := f.offer(3, figureTime, s)
				row("three times the rate, "+s.name, n, float64(central), float64(admitted), 0.99)
			}
			passed := 0
			for i := range figureClients {
				for range figureBurst {
					if f.nodes[0].Allow(fmt.Sprint("slow burst ", i)) {
						passed++
					}
					time.Sleep(100 * time.Millisecond / figureBurst)
				}
			}
			row("a burst in 100 ms", n, figureClients*figureBurst, float64(passed), 0.99)
			passed = 0
			for i := range figureClients {
				for range figureBurst {
					if f.nodes[0].Allow(fmt.Sprint("burst ", i)) {
						passed++
					}
				}
			}
			row("a burst at once, Allow", n, figureClients*figureBurst, float64(passed), float64(figureBurst/n*n)/figureBurst/float64(n))
			row("a burst at once, Wait for 10 ms", n, figureBurst, float64(f.atOnce(func(ctx context.Context, client string) bool {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
				return f.nodes[0].Wait(ctx, client) == nil
			})), 0.99)
			row("a burst at once, doors that hold", n, figureBurst, float64(f.atOnce(func(ctx context.Context, client string) bool {
				return f.nodes[0].Do(node.Request{Client: client, Hold: ctx}).Allowed
			})), 0.99)
		})
		withFigures(t, n, func(f *figures) {
			dead := f.nodes[n-1]
			f.nodes = f.nodes[:n-1]
			if err := dead.Close(); err != nil {
				t.Fatal(err)
			}
			for _, s := range spreads {
				f.offer(3, figureTime, s) // the buckets are empty
				_, admitted, _ := f.offer(3, figureTime, s)
				rate := figureClients * figureBurst * figureTime.Seconds() / figureWindow.Seconds()
				row("one dead, three times the rate, "+s.name, n, rate, float64(admitted), 0.98*float64(n-1)/float64(n))
			}
		})
	}
	// Fewer units than a node can earn while a loan lasts: what one borrowed, others lack.
	const clients, offered = 60, 3 * time.Minute
	for i, s := range spreads {
		withLimit(t, 3, 5, time.Minute, clients, func(f *figures) {
			central, _, missed := f.offer(0.8, offered, s)
			row("5 per minute, 0.8 of the rate, "+s.name, 3, float64(central), float64(central-missed), []float64{0.7, 0.6, 0.6}[i])
			central, _, missed = f.ask(0.8, offered, s, func(n *node.Node, client string) bool {
				return n.Do(node.Request{Client: client, Hold: context.Background()}).Allowed
			})
			row("the same, doors that hold, "+s.name, 3, float64(central), float64(central-missed), []float64{0.9, 0.75, 0.75}[i])
			f.offer(3, offered, s) // the buckets are empty
			central, admitted, _ := f.offer(3, offered, s)
			row("5 per minute, three times the rate, "+s.name, 3, float64(central), float64(admitted), 0.85)
		})
	}
	t.Logf("what of the central limiter's admissions the cluster admitted\n%s", table.String())
}

// atOnce lets a client ask for a burst at one instant.
func (f *figures) atOnce(take func(ctx context.Context, client string) bool) int64 {
	var passed atomic.Int64
	var all sync.WaitGroup
	client := fmt.Sprint("at once ", f.random.Uint64())
	for range figureBurst {
		all.Go(func() {
			if take(context.Background(), client) {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	return passed.Load()
}
