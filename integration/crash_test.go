package integration_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// crew is three processes over one server process, with one limit.
func crew(t *testing.T, p gcra.Policy) (h *hub, all []*daemon, tr *trial) {
	t.Helper()
	if testing.Short() {
		t.Skip("real processes and real seconds")
	}
	t.Parallel()
	h = newHub(t, "-a", "127.0.0.1")
	var members []member
	for i := range 3 {
		d := newDaemon(t, fmt.Sprintf("d%d", i), "-nats", "nats://"+h.address,
			"-limit", fmt.Sprint(p.Limit), "-window", p.Window.String(), "-burst", fmt.Sprint(p.Burst))
		all, members = append(all, d), append(members, remote{d})
	}
	for _, d := range all {
		eventually(t, "it hears the others", func() bool { return d.alive() == 2 })
	}
	return h, all, newTrial(t, p, members)
}

// place is what a process says of its place in the cluster.
type place struct {
	Degraded bool
	Sync     struct{ Connected bool }
	Node     struct {
		Ready, Isolated  bool
		Members, Visible int
	}
}

func (d *daemon) place() (p place) {
	d.t.Helper()
	d.ask(http.MethodGet, "/v1/status", &p)
	return p
}

// httpPace is how often each process is asked for units of a client.
const httpPace = 20 * time.Millisecond

func TestNodeKilledUnderLoadCostsNoMoreThanTheBound(t *testing.T) {
	_, all, tr := crew(t, slow)
	const victim = 1
	stopAlice := tr.press("alice", httpPace)
	start := time.Now()
	eventually(t, "alice has used up her limit", func() bool {
		s, _ := tr.members[0].look("alice")
		return s.remaining == 0
	})
	stopBob := tr.press("bob", httpPace) // bob is using his when the node dies
	eventually(t, "the victim admits to bob", func() bool {
		return tr.ledger("bob").admitted(victim, start, time.Now()) >= 20
	})

	befell := trouble{killed: victim}
	all[victim].process.kill()
	befell.died = time.Now()
	eventually(t, "the others go on", func() bool {
		return tr.ledger("bob").admitted(0, befell.died, time.Now()) >= 10 && tr.ledger("bob").admitted(2, befell.died, time.Now()) >= 10
	})
	befell.born = time.Now()
	all[victim].run()
	befell.joined = time.Now()
	// Alice is asked for all the while, and denied: the node knows what it admitted to
	// her in its first life.
	tr.converges(befell.joined, "alice")
	tr.owes("alice")
	eventually(t, "bob has used up his limit, the node's second life serving him as well", func() bool {
		s, _ := tr.members[0].look("bob")
		return s.remaining == 0 && tr.ledger("bob").admitted(victim, befell.joined, time.Now()) > 0
	})
	stopBob()
	tr.converges(time.Now(), "bob")
	tr.owes("bob")
	for _, d := range all {
		// It was silent for less than it takes to call it cut off, and is back.
		eventually(t, "nobody is missed", func() bool {
			p := d.place()
			return !p.Node.Isolated && p.Node.Members == 3 && p.Node.Visible == 3
		})
	}
	stopAlice()
	tr.judge("alice", befell)
	tr.judge("bob", befell)
}

func TestNATSServerKilledUnderLoadCostsNoMoreThanTheBound(t *testing.T) {
	const cost = 60 // of the outage: units that one server would have kept back
	h, all, tr := crew(t, fast)
	stopAlice, stopBob := tr.press("alice", httpPace), tr.press("bob", httpPace)
	eventually(t, "the burst is used", func() bool {
		a, _ := tr.members[0].look("alice")
		b, _ := tr.members[0].look("bob")
		return a.remaining == 0 && b.remaining == 0
	})

	befell := trouble{groups: len(all)}
	cut := time.Now()
	h.cut()
	for _, d := range all {
		eventually(t, "the process says that it is alone", func() bool {
			p := d.place()
			return p.Degraded && p.Node.Isolated && !p.Sync.Connected && p.Node.Members == 3 && p.Node.Visible == 1
		})
	}
	eventually(t, "each goes on by itself", func() bool { return tr.ledger("bob").excess() >= cost })
	h.heal()
	for _, d := range all {
		eventually(t, "it is connected again", func() bool { return d.place().Sync.Connected })
	}
	whole := time.Now()
	stopBob()
	agreed := tr.converges(whole, "bob")
	tr.owes("bob")
	befell.apart = agreed.Sub(cut)
	eventually(t, "nobody is degraded", func() bool {
		for _, d := range all {
			if p := d.place(); p.Degraded || p.Node.Isolated || p.Node.Visible != 3 {
				return false
			}
		}
		return true
	})
	stopAlice()
	tr.converges(time.Now(), "alice")
	tr.judge("alice", befell)
	tr.judge("bob", befell)
}
