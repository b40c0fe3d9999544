package rights

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// cluster is one client of one limit on several nodes, and the network between them: as many
// accounts as nodes, which do whatever a schedule says. Nobody looks at a view here: all requests
// ask for whatever credit there is, and all lenders give all. So the cap alone is left.
//
// An independent model judges it. It knows nothing of accounts: it is one central limiter that
// refuses nothing, and the excess is by how much the admitted cost exceeds its burst.
type cluster struct {
	terms *Terms
	now   int64 // true time
	nodes []*node
	tat   int64 // of the central limiter
	cap   int64 // by how much tat may be ahead of now
	sent  int   // incarnations so far
	mail  []letter
	spent []spending
}

// spending is what may be given back still.
type spending struct {
	by   crdt.Replica
	all  int64
	own  int64
	when int64 // by the node's Time.Own
}

// node is one node: what lasts of it, and its clocks.
type node struct {
	place  int
	self   crdt.Replica
	full   int64
	record *Record
	began  int64
	share  bool
	// drift is the error of its monotonic clock, in millionths. step is what was added to the
	// wall clock, and slept what the monotonic clock missed.
	drift, step, slept int64
	own, wall, mono    int64 // as last read, see time
	asked              []question
	number             uint64
	numbers            map[crdt.Replica]uint64 // of the last want answered, by who asked
}

type question struct {
	number uint64
	to     crdt.Replica
	at     Time
}

type letter struct {
	from, to crdt.Replica
	loan     bool
	number   uint64
	low      uint64
	held     int64
	amount   int64
	back     int64
	backOf   int64 // in a loan, the lender's epoch
}

// time is what the node's clocks read. The refill clock advances by the lesser of both others.
func (n *node) time(now int64) Time {
	mono := now + now*n.drift/1e6 - n.slept
	wall := now + n.step
	if n.mono != 0 {
		n.own += max(0, min(mono-n.mono, max(0, wall-n.wall)))
	} else {
		n.own = 1e12
	}
	n.mono, n.wall = mono, max(n.wall, wall)
	return Time{Own: n.own, Mono: mono, Wall: wall}
}

func (c *cluster) account(n *node) (a Account, t Time) {
	t = n.time(c.now)
	a = Account{Terms: c.terms, Share: n.share, Began: n.began, Opens: c.terms.Opens(n.began), Full: n.full, Record: n.record}
	if a.Full == 0 && a.Share {
		a.Full = a.Began + c.terms.Bottom()
	}
	a.Settle(t)
	return a, t
}

func (c *cluster) keep(n *node, a *Account) { n.full = a.Full }

// start makes a new incarnation of the node.
func (c *cluster) start(n *node) {
	c.sent++
	n.self, n.full, n.record, n.asked, n.number = crdt.Replica(c.sent), 0, &Record{}, nil, 0
	n.numbers = map[crdt.Replica]uint64{}
	n.began = n.time(c.now).Own
}

// spend admits cost as far as account and credit go, and fails the test if the cluster admitted
// too much by it.
func (c *cluster) spend(n *node, most int64) (spent int64, excess int64) {
	a, t := c.account(n)
	spent = min(most, a.Free(t)+a.Credit())
	if spent > 0 {
		c.spent = append(c.spent, spending{n.self, spent, a.Spend(t, spent), t.Own})
		c.tat = max(c.tat, c.now) + spent
	}
	c.keep(n, &a)
	return max(0, spent), c.tat - c.now - c.cap
}

// giveBack gives a part of an earlier spending back, where its incarnation still runs. The central
// limiter gives back what has not drained.
func (c *cluster) giveBack(r *rand.Rand) {
	if len(c.spent) == 0 {
		return
	}
	i := r.IntN(len(c.spent))
	s := c.spent[i]
	c.spent = append(c.spent[:i:i], c.spent[i+1:]...)
	for _, n := range c.nodes {
		if n.self == s.by {
			back := 1 + r.Int64N(s.all)
			a, t := c.account(n)
			a.GiveBack(t, min(s.own, back), s.when, c.terms.Parts)
			c.keep(n, &a)
			c.tat -= min(back, max(0, c.tat-c.now))
		}
	}
}

// ask sends wants to all others. An account that gives up what is unspent of a loan says so to its
// lender.
func (c *cluster) ask(n *node, giveUp bool) {
	a, t := c.account(n)
	var back int64
	var from crdt.Replica
	var epoch int64
	if giveUp {
		idle := t
		idle.Mono += idleAfter + 1 // it was not used lately
		back, from, epoch = a.GiveUp(idle)
	}
	for _, to := range c.nodes {
		if to == n {
			continue
		}
		n.number++
		low := n.number - 1
		if len(n.asked) > 0 {
			low = n.asked[0].number - 1
		}
		l := letter{from: n.self, to: to.self, number: n.number, low: low, held: a.Record.Borrowed()}
		if to.self == from {
			l.back, l.backOf = back, epoch
		}
		c.mail = append(c.mail, l)
		n.asked = append(n.asked, question{n.number, to.self, t})
	}
	c.keep(n, &a)
}

// giveUp strikes the oldest question off.
func (n *node) giveUp() {
	if len(n.asked) > 0 {
		n.asked = n.asked[1:]
	}
}

// deliver hands a letter over. Whoever is gone gets nothing.
func (c *cluster) deliver(l letter, part int64) {
	var n *node
	for _, x := range c.nodes {
		if x.self == l.to {
			n = x
		}
	}
	if n == nil {
		return
	}
	a, t := c.account(n)
	defer func() { c.keep(n, &a) }()
	if !l.loan {
		if l.number <= n.numbers[l.from] {
			return // a repetition
		}
		n.numbers[l.from] = l.number
		a.Back(t, l.back, l.backOf)
		a.Told(l.from, l.held, l.low)
		y := int64(0)
		if own := a.Own(t); own > 0 {
			y = a.Lend(t, max(1, own/part), l.from, l.number)
		}
		c.mail = append(c.mail, letter{from: n.self, to: l.from, loan: true, number: l.number, amount: y, backOf: a.Record.Epoch()})
		return
	}
	for i, q := range n.asked {
		if q.number == l.number && q.to == l.from {
			a.Borrow(t, l.amount, q.at.Mono, q.at.Wall, l.from, l.backOf)
			n.asked = append(n.asked[:i:i], n.asked[i+1:]...)
			return
		}
	}
}

// check compares the accounts with what docs/bounded.md says of them.
func (c *cluster) check() error {
	potential, lots, lent := int64(0), int64(0), int64(0)
	for _, n := range c.nodes {
		a, t := c.account(n)
		c.keep(n, &a)
		own := a.Own(t)
		if n.share {
			potential += own + c.terms.Overdraft
			if own < -c.terms.Overdraft || own > c.terms.Room-a.Record.Lent() && own > 0 {
				return fmt.Errorf("node %d owns %d: room %d, credit %d, lent %d", n.place, own, c.terms.Room, c.terms.Overdraft, a.Record.Lent())
			}
			lent += a.Record.Lent()
			if t.Own < a.Opens {
				lent += c.terms.Room // of its predecessor
			}
		}
		lots += a.Record.Borrowed()
	}
	if lots > lent {
		return fmt.Errorf("%d are borrowed and %d lent", lots, lent)
	}
	if most := c.terms.Parts * (c.terms.Room + c.terms.Overdraft); potential+lots > most {
		return fmt.Errorf("the accounts hold %d, and may hold %d", potential+lots, most)
	}
	return nil
}

func newCluster(nodes int, terms *Terms) *cluster {
	c := &cluster{terms: terms, now: 1e12, cap: terms.Parts * (terms.Room + terms.Overdraft)}
	for i := range nodes {
		n := &node{place: i, share: int64(i) < terms.Parts, numbers: map[crdt.Replica]uint64{}}
		c.nodes = append(c.nodes, n)
		c.start(n)
	}
	return c
}

// TestNoScheduleExceedsTheCap plays random schedules of everything that can happen to accounts,
// their machines and their messages.
func TestNoScheduleExceedsTheCap(t *testing.T) {
	const schedules, steps = 1500, 300
	pressed, capped := 0, 0
	for seed := range uint64(schedules) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
		depth := int64(1 + r.IntN(60)*1e8)
		credit := int64(0)
		if r.IntN(4) > 0 {
			credit = depth * int64(r.IntN(50)) / 100
		}
		nodes := 1 + r.IntN(6)
		units := int64(1 + r.IntN(40))
		terms := NewTerms(depth, credit, units, nodes)
		c := newCluster(nodes, terms)
		drifts := r.IntN(2) == 0
		for _, n := range c.nodes {
			if drifts {
				n.drift = int64(r.IntN(2001)) - 1000
			}
		}
		if r.IntN(4) > 0 { // all are full
			c.now += terms.Parts*terms.Room + 2*terms.Epoch + terms.Bottom()
		}
		began := c.now
		// A monotonic clock that is fast refills too fast: σ of the theorem.
		worst := int64(0)
		for range steps {
			n := c.nodes[r.IntN(nodes)]
			switch r.IntN(15) {
			case 0, 1, 2:
				_, excess := c.spend(n, 1+r.Int64N(depth))
				if drifts {
					excess -= (c.now-began)/1000 + 2 // σ, and what the clocks above round
				}
				worst = max(worst, excess+credit)
				if excess > 0 {
					t.Fatalf("seed %d: %d over a cap of %d", seed, excess, c.cap)
				}
			case 3, 4:
				c.ask(n, r.IntN(3) == 0)
			case 5, 6, 7:
				if len(c.mail) > 0 {
					i := r.IntN(len(c.mail))
					if r.IntN(3) > 0 {
						i = 0
					}
					l := c.mail[i]
					if r.IntN(5) > 0 {
						c.mail = append(c.mail[:i:i], c.mail[i+1:]...)
					}
					if r.IntN(8) > 0 {
						c.deliver(l, 1+r.Int64N(3))
					}
				}
			case 8:
				if r.IntN(3) == 0 {
					c.start(n)
				}
				n.giveUp()
			case 9:
				// A machine sleeps, or somebody sets its clock back: the proof assumes that not both
				// happen to one loan.
				switch d := r.Int64N(2*max(depth, terms.Loan) + 1); {
				case n.place%2 == 0:
					n.step += d * int64(r.IntN(3)-1)
				case r.IntN(2) == 0:
					n.step += d
				default: // it sleeps, and its monotonic clock with it
					n.slept += d
					c.now += d
				}
			case 10:
				for _, n := range c.nodes { // all of it, everywhere
					_, excess := c.spend(n, 2*depth)
					if drifts {
						excess -= (c.now-began)/1000 + 2 // σ, and what the clocks above round
					}
					worst = max(worst, excess+credit)
					if excess > 0 {
						t.Fatalf("seed %d: %d over a cap of %d", seed, excess, c.cap)
					}
				}
			case 11:
				// Just before and just after loans end, for their borrowers and for their lenders.
				at := c.now - c.now%terms.Epoch + terms.Epoch
				c.now = max(c.now, at+r.Int64N(5)-2)
			case 12:
				c.giveBack(r)
			case 13:
				c.now += r.Int64N(terms.Loan/4 + 1)
			default:
				c.now += r.Int64N(max(2, terms.Loan/50))
			}
			if err := c.check(); err != nil && !drifts {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if credit > 0 {
			if capped++; float64(worst) > 0.9*float64(credit) {
				pressed++
			}
		}
	}
	if pressed*10 < capped {
		t.Errorf("%d of %d schedules come close to the cap, want a tenth", pressed, capped)
	}
	t.Logf("%d of %d schedules with credit come within a tenth of the cap", pressed, capped)
}

// Who restarts cannot know what it lent. If all others are full and the loan is at its end, what it
// earned since the start is too much.
func TestARestartedLenderCountsWhatItMayHaveLent(t *testing.T) {
	terms := NewTerms(4e9, 0, 100, 2)
	c := newCluster(2, terms)
	c.now += 20e9
	lender, borrower := c.nodes[0], c.nodes[1]
	c.ask(borrower, false)
	for len(c.mail) > 0 {
		l := c.mail[0]
		c.mail = c.mail[1:]
		c.deliver(l, 1)
	}
	c.start(lender)
	c.now += terms.Loan - 1
	if spent, _ := c.spend(borrower, 8e9); spent != 4e9 {
		t.Fatalf("the borrower spends %d, want its share and the loan", spent)
	}
	if spent, excess := c.spend(lender, 8e9); excess > 0 {
		t.Errorf("the lender spends %d, which is %d over the cap", spent, excess)
	}
}
