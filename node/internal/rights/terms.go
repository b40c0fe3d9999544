package rights

import "sync/atomic"

// Time is one instant by the three clocks of a node, in nanoseconds.
type Time struct {
	// Own is what accounts refill by, and what loans return by: it advances by the lesser of
	// what the wall clock and the monotonic clock do. So no step of a clock makes tokens.
	Own int64
	// Mono is the monotonic clock, and Wall the wall clock as it is. A loan ends for its
	// borrower when either says so: a monotonic clock may stand still while a machine sleeps.
	Mono, Wall int64
}

// Terms are what the accounts of one rule go by while so many nodes share it. Make them with
// NewTerms. Immutable.
type Terms struct {
	Parts     int64 // m: how many members have a share
	Room      int64 // b: the room of a share
	Overdraft int64 // x: the credit of a share
	Loan      int64 // ℓ: how long a loan lasts for its borrower, from when it asked
	Epoch     int64 // a loan returns to its lender when the epoch after the next one begins
}

// Shares divide one rule's bucket and credit among any number of nodes. Make them with NewShares.
// Safe for concurrent use.
type Shares struct {
	// Word stands for the limit and its rule in messages: nodes that count otherwise lend each
	// other nothing.
	Word uint64
	// Windowed says that this is the quota of a fixed window, and no bucket: see quota.
	Windowed bool

	depth, credit, units int64
	among                [mostCounted + 1]atomic.Pointer[Terms]
}

// NewShares are of a bucket that takes depth to drain, with a credit of the same kind. units is the
// number of units of both together.
func NewShares(depth, credit, units int64, word uint64) *Shares {
	return &Shares{Word: word, depth: depth, credit: credit, units: units}
}

// Among is how members share, at most twice MaxMembers. It allocates once for each number of them.
func (s *Shares) Among(members int) *Terms {
	at := &s.among[min(members, mostCounted)]
	if x := at.Load(); x != nil {
		return x
	}
	at.Store(NewTerms(s.depth, s.credit, s.units, members))
	return at.Load()
}

// Epoch is Terms.Epoch, which is the same however many share.
func (s *Shares) Epoch() int64 { return s.Among(1).Epoch }

const (
	// leastLoan and mostLoan bound the time of a loan. Raising the first keeps unspent loans of
	// small limits away for longer than their bucket takes to refill. Lowering it to a few
	// round trips ends loans before they arrive. Raising the second keeps what a dead borrower
	// held from its lender for longer. Lowering it makes busy clients borrow more often.
	leastLoan = int64(200e6)
	mostLoan  = int64(10e9)
	// drift is the part of its speed by which a monotonic clock may be wrong: one in a
	// thousand. The lender waits by four times as much longer, two for each clock. Raising it
	// returns loans later, lowering it trusts clocks more.
	drift = 1000
)

// NewTerms divides a bucket that takes depth to drain, with a credit of the same kind, among at
// most members. units is the number of units of both together, and a share is at least one: no request
// fits into less.
func NewTerms(depth, credit, units int64, members int) *Terms {
	m := max(1, min(int64(members), units))
	loan := min(max(depth/4, leastLoan), mostLoan)
	return &Terms{Parts: m, Room: depth / m, Overdraft: credit / m, Loan: loan, Epoch: loan + 4*loan/drift}
}

// Bottom is how far ahead of the clock the instant lies at which an account without a token
// and without credit left would be full.
func (t *Terms) Bottom() int64 { return t.Parts * (t.Room + t.Overdraft) }
