package node_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// mangle plays a schedule on three nodes under a bounded limit. Each two bytes are a step: nodes admit
// all they can, time passes, nodes restart, and somebody on the network delivers what he likes of all
// that was ever sent: late, twice, to another node, under another name, or with a byte changed. An
// independent model judges it: one central limiter that refuses nothing. It returns what nodes
// borrowed.
func mangle(t *testing.T, schedule []byte) (borrowed float64) {
	t.Helper()
	const nodes, burst, excess = 3, 15, 3
	const unit = 50 * time.Millisecond
	cfg := node.Config{Roster: names(nodes), Limits: map[string]node.Policy{
		node.DefaultLimit: {Limit: burst, Window: burst * unit, Consistency: node.Bounded, MaxExcess: excess},
	}}
	l := newLab(t, nodes, cfg) // and all accounts are full
	var sent []mail
	l.lose = func(p mail) bool { sent = append(sent, p); return true }
	tat := time.Duration(0) // of the central limiter
	began, runs := l.now, uint64(nodes)
	delivered := 0
	for len(schedule) >= 2 {
		op, x := schedule[0]%10, int(schedule[1])
		schedule = schedule[2:]
		m := l.nodes[x%nodes]
		switch op {
		case 0, 1: // a burst at one node
			for m.Node.Allow("c") {
				tat = max(tat, l.now.Sub(began)) + unit
			}
		case 2:
			if cost := int64(1 + x/nodes%5); m.Node.Do(node.Request{Client: "c", Cost: cost}).Allowed {
				tat = max(tat, l.now.Sub(began)) + time.Duration(cost)*unit
			}
		case 3:
			l.run(time.Duration(1+x) * time.Millisecond)
		case 4: // the network works for a moment
			for range 4 {
				l.run(time.Millisecond)
				for ; delivered < len(sent); delivered++ {
					m := l.nodes[sent[delivered].to]
					m.input(deltasync.Input{Kind: deltasync.InputPacket, Packet: sent[delivered].packet})
				}
			}
		case 5: // a restart
			runs++
			again := cfg
			again.Name, again.Now = names(nodes)[m.index], func() time.Time { return l.now }
			s, err := node.NewStepper(again, runs)
			must(t, err)
			borrowed += m.Node.Stats().Limits[0].Rights.Borrowed
			m.Stepper, m.wake = s, 0
			m.input(deltasync.Input{Kind: deltasync.InputConnected})
		default:
			if len(sent) == 0 {
				continue
			}
			p := sent[len(sent)-1-x%len(sent)]
			data := append([]byte(nil), p.packet.Data...)
			switch op {
			case 6:
				p.to = x / 16 % nodes
			case 7:
				data[x%len(data)] ^= byte(1 + x%7)
			case 8:
				p.packet.Subject = sent[x%len(sent)].packet.Subject
			default: // as it was, however old it is
			}
			p.packet.Data = data
			l.nodes[p.to].input(deltasync.Input{Kind: deltasync.InputPacket, Packet: p.packet})
		}
		if over := tat - l.now.Sub(began) - (burst+excess)*unit; over > time.Microsecond {
			t.Fatalf("the cluster admitted %v more than its cap", over)
		}
	}
	for _, m := range l.nodes {
		borrowed += m.Node.Stats().Limits[0].Rights.Borrowed
	}
	return borrowed
}

func FuzzLoans(f *testing.F) {
	f.Add([]byte{0, 0, 4, 0, 0, 0, 9, 1, 0, 1, 9, 2, 0, 0, 3, 200, 9, 3, 0, 2, 0, 1})
	f.Add([]byte{0, 0, 4, 0, 5, 1, 0, 0, 4, 0, 0, 1, 3, 250, 9, 9, 9, 8, 0, 0, 0, 1, 0, 2})
	f.Fuzz(func(t *testing.T, schedule []byte) { mangle(t, schedule[:min(len(schedule), 200)]) })
}

func TestLoansThatComeAgainMintNothing(t *testing.T) {
	lent := 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9)) //nolint:gosec // repeatable on purpose
		schedule := make([]byte, 160)
		for i := range schedule {
			schedule[i] = byte(r.IntN(256))
		}
		if mangle(t, schedule) > 0 {
			lent++
		}
	}
	if lent < 4 {
		t.Errorf("something is lent in %d of 20 schedules: that proves nothing", lent)
	}
}
