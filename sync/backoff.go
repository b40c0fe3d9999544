package sync

// backoff paces attempts that may be in vain: each failure in a row doubles the pause
// before the next attempt. The zero value allows an attempt at once.
type backoff struct {
	failures int   // in a row; 0 after a success
	after    int64 // own clock: no attempt before it
}

const (
	// mostPause caps the pause. Raising it delays the repair of a peer that could help
	// again. Lowering it makes a peer that can never help (its table is full, or ours
	// is) cost more requests.
	mostPause = int64(30e9)
	// mostDoublings keeps the shift inside an int64. Lowering it below 9 would end the
	// doubling of the shortest first pause before mostPause.
	mostDoublings = 12
)

// due reports whether an attempt may be made at now.
func (b *backoff) due(now int64) bool { return now >= b.after }

// pause is how long to wait after a failure now; first is the pause after the first.
func (b *backoff) pause(first int64) int64 {
	return min(mostPause, first<<min(b.failures, mostDoublings))
}

// failed counts a failure and allows the next attempt at after.
func (b *backoff) failed(after int64) { b.failures, b.after = b.failures+1, after }

// helped ends the row of failures. The pause under way goes on.
func (b *backoff) helped() { b.failures = 0 }

// hold allows no attempt before until.
func (b *backoff) hold(until int64) { b.after = max(b.after, until) }
