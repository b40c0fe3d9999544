package crdt

// Replica names one incarnation of one node: random, made at its start, never reused. 0 is
// no replica.
type Replica uint64

// Key is a client under a limit: a keyed 128-bit hash. So it has a fixed size and does not
// reveal the client.
type Key struct{ Hi, Lo uint64 }

// Caps of the counters. No sum of counters overflows, because (MaxCells + 1) * MaxTotal, with a
// cost of up to MaxTotal on top, fits into 64 bits.
const (
	// MaxTotal is the largest P or N of a counter in one window, in units. A counter
	// saturates there. Higher allows fewer cells; lower saturates sooner.
	MaxTotal = 1 << 54
	// MaxCells is the largest number of other replicas that one client's windows hold. A
	// state ignores further ones. Higher allows less for MaxTotal; lower limits the cluster.
	MaxCells = 1000
)

// Count is a PN-counter's pair of totals: P cost admitted, N cost given back. Both
// only grow. Invariant: N <= P <= MaxTotal. The zero Count is empty.
type Count struct{ P, N uint64 }

// Valid reports whether c keeps the invariant, which a peer's bytes may not.
func (c Count) Valid() bool { return c.N <= c.P && c.P <= MaxTotal }

// Net is P - N, at least 0.
func (c Count) Net() uint64 { return c.P - c.N }

// join is the pointwise maximum, and what that added to c.
func (c Count) join(o Count) (joined, gain Count) {
	joined = Count{P: max(c.P, o.P), N: max(c.N, o.N)}
	return joined, Count{P: joined.P - c.P, N: joined.N - c.N}
}

// cell is one other replica's counters in the two live windows.
type cell struct {
	replica Replica
	count   [2]Count // cur, prev
}
