package rights

// Time is one instant by the three clocks of a node, in nanoseconds.
type Time struct {
	// Own is what accounts refill by, and what loans return by: it advances by the lesser of
	// what the wall clock and the monotonic clock do. So no step of a clock makes tokens.
	Own int64
	// Mono is the monotonic clock, and Wall the wall clock as it is. A loan ends for its
	// borrower when either says so: a monotonic clock may stand still while a machine sleeps.
	Mono, Wall int64
}

// Terms are what the accounts of one rule go by, on all nodes alike. Make them with NewTerms.
// Immutable.
type Terms struct {
	Parts     int64 // m: how many members have a share
	Room      int64 // b: the room of a share
	Overdraft int64 // x: the credit of a share
	Loan      int64 // ℓ: how long a loan lasts for its borrower, from when it asked
	Epoch     int64 // a loan returns to its lender when the epoch after the next one begins
	// Word stands for the limit, its rule and the roster in messages: nodes that count otherwise
	// lend each other nothing.
	Word uint64
}

const (
	// Grain is how many units a share has at least, unless one member has all. Raising it
	// leaves more members without a share, whose first requests have to ask. Lowering it gives
	// members shares that no request fits into.
	Grain = 4
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
// most members. units is the number of units of both together.
func NewTerms(depth, credit, units int64, members int, word uint64) *Terms {
	m := max(1, min(int64(members), units/Grain))
	loan := min(max(depth/4, leastLoan), mostLoan)
	return &Terms{Parts: m, Room: depth / m, Overdraft: credit / m, Loan: loan, Epoch: loan + 4*loan/drift, Word: word}
}

// Bottom is how far ahead of the clock the instant lies at which an account without a token
// and without credit left would be full.
func (t *Terms) Bottom() int64 { return t.Parts * (t.Room + t.Overdraft) }
