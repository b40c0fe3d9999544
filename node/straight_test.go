package node_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// twins are two clusters that see the same requests, messages and losses. One decides by the path
// that nearly all requests take, and the other by the one that opens the client's entry.
type twins struct {
	t              *testing.T
	random         *rand.Rand
	straight, open *lab
	clients        []string
}

func newTwins(t *testing.T, seed uint64) *twins {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
	n, burst := 1+random.IntN(3), int64(4+random.IntN(60))
	x := []float64{0, 0, 0.1, 3}[random.IntN(4)]
	cfg := boundedConfig(n, burst, x)
	w := &twins{t: t, random: random, straight: newLab(t, n, cfg), open: newLab(t, n, cfg), clients: []string{"a", "b"}}
	if random.IntN(4) > 0 {
		w.both(func(l *lab) { l.run(10 * time.Second) }) // all accounts are full
	}
	return w
}

// both does one thing to both clusters.
func (w *twins) both(do func(*lab)) {
	do(w.straight)
	do(w.open)
}

// take lets both decide on one request.
func (w *twins) take(i int, client string, cost int64) {
	w.t.Helper()
	got := w.straight.nodes[i].Node.Take(client, cost)
	want := w.open.nodes[i].Node.Limiter("").Reserve(client, cost).Decision
	if got != want {
		w.t.Fatalf("n%d decides on %d of %s: %+v, by the open entry %+v", i, cost, client, got, want)
	}
}

// compare sees that both know the same of all clients.
func (w *twins) compare() {
	w.t.Helper()
	for i, m := range w.straight.nodes {
		for _, client := range w.clients {
			got, err := m.Node.Explain("", client)
			must(w.t, err)
			want, err := w.open.nodes[i].Node.Explain("", client)
			must(w.t, err)
			if !reflect.DeepEqual(got.Right, want.Right) || got.Decision != want.Decision {
				w.t.Fatalf("n%d explains %s by %+v and %+v, with the open entry by %+v and %+v", i, client, got.Right, got.Decision, want.Right, want.Decision)
			}
		}
	}
}

// act does something at random.
func (w *twins) act() {
	r := w.random
	i, client := r.IntN(len(w.straight.nodes)), w.clients[r.IntN(len(w.clients))]
	switch n := r.IntN(100); {
	case n == 0:
		w.both(func(l *lab) { must(w.t, l.nodes[i].Node.Reset("", client)) })
	case n == 1:
		p := boundedConfig(1, int64(4+r.IntN(60)), 0).Limits[node.DefaultLimit]
		w.both(func(l *lab) { must(w.t, errorOf(l.nodes[i].Node.SetLimit(node.DefaultLimit, p))) })
	case n < 4:
		cut := r.IntN(2) == 0
		w.both(func(l *lab) { l.lose = func(m mail) bool { return cut && (m.from == i || m.to == i) } })
	case n < 10:
		pass := time.Duration(r.Int64N(int64(6 * time.Second)))
		w.both(func(l *lab) { l.run(pass) })
	case n < 50:
		pass := time.Duration(r.Int64N(int64(500 * time.Millisecond)))
		w.both(func(l *lab) { l.run(pass) })
	default:
		for range 1 + r.IntN(6) {
			w.take(i, client, 1+r.Int64N(1+r.Int64N(3)))
		}
	}
}

// An account that is looked at without its entry says, takes, asks and remembers the same, whatever
// comes: a start, loans, losses, resets and changes of the limit.
func TestBothPathsDecideAlikeUnderABoundedLimit(t *testing.T) {
	for seed := range uint64(8) {
		w := newTwins(t, seed)
		for range 100 {
			w.act()
			w.compare()
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A node that strikes itself off has no share from then on, whatever is left of its accounts.
func TestANodeWithoutAShareSpendsNoneAtAGlance(t *testing.T) {
	l := newBounded(t, 2, 20, 0)
	one := l.nodes[0].Node
	if !one.Allow("c") {
		t.Fatal("the first request is denied")
	}
	l.run(5 * time.Second)                   // the account is full again
	l.lose = func(mail) bool { return true } // nobody lends
	one.Forget("n0")
	l.run(3 * time.Second)
	one.Charge(node.Request{Client: "c"}) // it counts as spent, without a share to spend of
	l.run(16 * time.Second)
	for range 10 {
		if d := one.Take("c", 1); d.Allowed {
			t.Fatalf("a node without a share admits: %+v", d)
		}
	}
}

// Nobody is denied within a burst by the real clock: the first request of a client takes another way
// through a decision than the next ones, and all go by one time.
func TestABurstPassesByTheRealClock(t *testing.T) {
	for burst := int64(1); burst <= 5; burst++ {
		n, err := node.Open(t.Context(), node.Config{Name: "alone", Limit: 100, Window: time.Minute, Burst: burst})
		must(t, err)
		t.Cleanup(func() { must(t, n.Close()) })
		for i := range 20_000 {
			client := fmt.Sprint("client", i)
			for unit := range burst {
				if d := n.Take(client, 1); !d.Allowed {
					t.Fatalf("burst %d, client %d: unit %d is denied: %+v", burst, i, unit+1, d)
				}
			}
		}
	}
}
