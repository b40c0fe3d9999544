package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// recovery is how soon after a fault is mended all nodes have to know the same.
const recovery = 2 * time.Second * slowdown

// The limits under load. One drains fast, so that a side of a partition goes on
// admitting; one hardly drains, so that what nodes know of a client does not become
// equal by itself.
var (
	fast = gcra.Policy{Limit: 1200, Window: time.Minute, Burst: 20}
	slow = gcra.Policy{Limit: 200, Window: 20 * time.Minute, Burst: 200}
)

// member is a node under load, asked for units of one limit. answered is false if
// nobody is there. Its methods are called concurrently.
type member interface {
	take(client string, cost int64) (admitted, answered bool)
	look(client string) (s standing, answered bool)
}

// standing is what a client has left, and when it will have all of it again.
type standing struct {
	remaining int64
	reset     time.Duration
}

// local is a node in this process.
type local struct {
	node  *node.Node
	limit string
}

func (m local) take(client string, cost int64) (admitted, answered bool) {
	return m.node.Do(node.Request{Client: client, Limit: m.limit, Cost: cost}).Allowed, true
}

func (m local) look(client string) (s standing, answered bool) {
	d := m.node.Do(node.Request{Client: client, Limit: m.limit, Peek: true})
	return standing{d.Remaining, d.ResetAfter}, true
}

// remote is a process, asked for its default limit.
type remote struct{ *daemon }

func (m remote) take(client string, cost int64) (admitted, answered bool) {
	status, body := m.try(http.MethodPost, fmt.Sprintf("/v1/take?client=%s&cost=%d", client, cost))
	var a answer
	answered = status != 0 && json.Unmarshal(body, &a) == nil
	return answered && a.Allowed, answered
}

func (m remote) look(client string) (s standing, answered bool) {
	status, body := m.try(http.MethodGet, "/v1/peek?client="+client)
	var a struct {
		Remaining    int64 `json:"remaining"`
		ResetAfterMS int64 `json:"reset_after_ms"`
	}
	answered = status == http.StatusOK && json.Unmarshal(body, &a) == nil
	return standing{a.Remaining, time.Duration(a.ResetAfterMS) * time.Millisecond}, answered
}

// trial is one limit on some nodes under load, and the books of it.
type trial struct {
	t       *testing.T
	policy  gcra.Policy
	members []member

	mu      sync.Mutex
	ledgers map[string]*ledger
}

func newTrial(t *testing.T, p gcra.Policy, members []member) *trial {
	return &trial{t: t, policy: p, members: members, ledgers: map[string]*ledger{}}
}

func (tr *trial) ledger(client string) *ledger {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	l := tr.ledgers[client]
	if l == nil {
		l = newLedger(tr.t, tr.policy)
		tr.ledgers[client] = l
	}
	return l
}

// press asks each node for single units of the client, until it is released.
func (tr *trial) press(client string, pace time.Duration) (release func()) {
	l := tr.ledger(client)
	return tr.drive(pace, func(i int, m member) {
		e := entry{node: i, asked: time.Now()}
		answered := false
		if e.admitted, answered = m.take(client, 1); answered {
			e.answered = time.Now()
			l.add(e)
		}
	})
}

// mostStrewn is how many clients strew makes for each node at most, before it asks
// for the first ones again.
const mostStrewn = 4000

// strew asks each node for some units of ever new clients: what is lost of them no
// later message makes good. clients names those so far.
func (tr *trial) strew(pace time.Duration) (clients func() []string, release func()) {
	var mu sync.Mutex
	var all []string
	asked := make([]int, len(tr.members))
	release = tr.drive(pace, func(i int, m member) {
		client := fmt.Sprintf("one-off %d of node %d", asked[i]%mostStrewn, i)
		m.take(client, 3) // more than the one by which nodes may differ
		if asked[i]++; asked[i] <= mostStrewn {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, client)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}, release
}

// drive has one goroutine for each node do something at a pace. It stops with the
// test, if not before.
func (tr *trial) drive(pace time.Duration, do func(i int, m member)) (stop func()) {
	end := make(chan struct{})
	var running sync.WaitGroup
	for i, m := range tr.members {
		running.Go(func() {
			ticker := time.NewTicker(pace)
			defer ticker.Stop()
			for {
				select {
				case <-end:
					return
				case <-ticker.C:
					do(i, m)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(end)
		running.Wait()
	})
	tr.t.Cleanup(stop)
	return stop
}

// agree says that all nodes have the same answer for the client: the same remaining
// units, within one, and the same debt beyond that.
func (tr *trial) agree(client string) bool {
	var least, most standing
	began := time.Now()
	for i, m := range tr.members {
		s, answered := m.look(client)
		if !answered {
			return false
		}
		if i == 0 {
			least, most = s, s
		}
		least = standing{min(least.remaining, s.remaining), min(least.reset, s.reset)}
		most = standing{max(most.remaining, s.remaining), max(most.reset, s.reset)}
	}
	unit := tr.policy.Window / time.Duration(tr.policy.Limit)
	return most.remaining-least.remaining <= 1 && most.reset-least.reset <= unit+time.Since(began)
}

// converges waits until all nodes agree on all clients, which has to be soon after
// since, when nobody asked for them any more. It returns when they did.
func (tr *trial) converges(since time.Time, clients ...string) time.Time {
	tr.t.Helper()
	eventually(tr.t, fmt.Sprintf("all nodes agree on %d clients", len(clients)), func() bool {
		for len(clients) > 0 && tr.agree(clients[0]) {
			clients = clients[1:]
		}
		return len(clients) == 0
	})
	now := time.Now()
	if took := now.Sub(since); took > recovery {
		tr.t.Errorf("the nodes agreed %v after the fault was mended, %v is due", took.Round(time.Millisecond), recovery)
	} else {
		tr.t.Logf("agreed after %v", took.Round(time.Millisecond))
	}
	return now
}

// owes fails unless the client has used some of its units by all nodes' accounts:
// else that they agree would tell nothing.
func (tr *trial) owes(client string) {
	tr.t.Helper()
	for i, m := range tr.members {
		if s, _ := m.look(client); s.reset <= 0 {
			tr.t.Errorf("node %d says that %s has used nothing", i, client)
		}
	}
}

// judge holds E against its bound.
func (tr *trial) judge(client string, befell trouble) {
	tr.t.Helper()
	l := tr.ledger(client)
	e, bound := l.excess(), l.bound(befell)
	tr.t.Logf("%s: E is %.1f, the bound %v", client, e, bound)
	if e > bound.total() {
		tr.t.Errorf("%s: E is %.1f units, the documented bound %v", client, e, bound)
	}
}

// trial puts one limit of all nodes under test.
func (c *cluster) trial(limit string, p gcra.Policy) *trial {
	var members []member
	for _, n := range c.nodes {
		members = append(members, local{n, limit})
	}
	return newTrial(c.t, p, members)
}

// limits are policies by name, as a configuration has them. Each unit is told to the
// others at once, so that there are many messages.
func limits(all map[string]gcra.Policy) map[string]node.Policy {
	out := map[string]node.Policy{}
	for name, p := range all {
		out[name] = node.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst, MaxOvershoot: 1 / float64(p.Burst)}
	}
	return out
}
