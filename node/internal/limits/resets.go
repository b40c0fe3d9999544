package limits

import (
	"errors"
	"slices"
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const (
	// maxResets caps the resets that a node repeats. Beyond it the node refuses further ones.
	// Raising it makes repetitions longer messages; lowering it refuses an operator who
	// resets many clients in a minute.
	maxResets = 1 << 10
	// repeatResets is for how long a node repeats a reset, to reach peers that are cut off
	// for a while. Raising it makes nodes remember reset clients for longer (the table keeps
	// them for longer than this). Lowering it reaches fewer peers.
	repeatResets = 3 * int64(limit.MaxWidth)
)

// ErrTooManyResets says that a node repeats as many resets as it can.
var ErrTooManyResets = errors.New("node: too many resets within three windows; wait a minute")

// Resets are the resets of clients that this node made and repeats to its peers. The zero
// value is empty and ready. Safe for concurrent use.
type Resets struct {
	mu    sync.Mutex // guards the fields below
	list  []madeReset
	fresh bool // list has one that Due has not listed yet
}

type madeReset struct {
	deltasync.ClientReset
	at int64
}

// Add notes the reset that apply makes. It holds its lock meanwhile, so that two resets of one
// client get two stamps. It does not call apply if the error is ErrTooManyResets.
func (r *Resets) Add(now int64, apply func() deltasync.ClientReset) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if len(r.list) >= maxResets {
		return ErrTooManyResets
	}
	r.list = append(r.list, madeReset{apply(), now})
	r.fresh = true
	return nil
}

// Due lists the resets to repeat at now; with onlyFresh none, unless one of them was not
// listed yet.
func (r *Resets) Due(now int64, onlyFresh bool) []deltasync.ClientReset {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if onlyFresh && !r.fresh {
		return nil
	}
	r.fresh = false
	out := make([]deltasync.ClientReset, len(r.list))
	for i, made := range r.list {
		out[i] = made.ClientReset
	}
	return out
}

// forget drops the resets that were repeated for long enough. mu is held.
func (r *Resets) forget(now int64) {
	r.list = slices.DeleteFunc(r.list, func(made madeReset) bool { return now-made.at >= repeatResets })
}
