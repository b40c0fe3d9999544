package sync

import (
	"crypto/ed25519"
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Config is what an Engine is made from. A duration that is not positive means its
// default.
type Config struct {
	Node    string       // own name, see ValidName
	Replica crdt.Replica // own incarnation: not 0, another one at every start
	// Marked says that the incarnations of all nodes come from NewReplica. Others are refused.
	Marked  bool
	Cluster string // default "default", see ValidName
	Prefix  string // of subjects, default "ratelimit"
	Key     []byte // the cluster key, default DefaultClusterKey

	// NodeKey signs what this node sends. Default: nothing is signed.
	NodeKey ed25519.PrivateKey
	// NodeKeys tells whose signature is whose. What is not signed by its sender is refused.
	// Default: signatures are not looked at.
	NodeKeys *NodeKeys

	// Last is the last run of this node that is known of. The zero value is none.
	Last Run
	// Saved is what a file says whose counts are to come: see InputRestored. Nil is none.
	Saved *Saved
	// Alone says that no peers are expected: the node is ready at once. Peers may come
	// all the same.
	Alone bool
	// Members are the names of the other nodes that were members when this node last ran,
	// and Lost says that they cannot be told any more. Both count for nothing if Alone.
	Members []string
	Lost    bool
	// Interval is how long an admission may wait before it is sent, unless its client's
	// quantum sends it sooner. Default DefaultInterval, at most MaxInterval.
	Interval time.Duration
	// UrgentGap is the least time between two urgent flushes, so that a hot client does
	// not cost a message per request. Default DefaultUrgentGap.
	UrgentGap time.Duration
	// BeatInterval is the time between two beats. A peer is suspect after SuspectAfter of
	// silence and gone after GoneAfter.
	BeatInterval, SuspectAfter, GoneAfter time.Duration
	// Seed makes jitter repeatable: engines of equal seeds and inputs do the same.
	Seed uint64
}

// Run is an earlier run of a node.
type Run struct {
	Replica      crdt.Replica
	Began, Until int64 // by the node's clock; it ran at Until, and hardly longer
	// Left says that it said bye.
	Left bool
}

const (
	// DefaultInterval is Config.Interval. Raising it sends fewer messages and lets peers
	// know later, so that more is admitted in excess. Lowering it does the opposite.
	DefaultInterval = 50 * time.Millisecond
	// MaxInterval caps Config.Interval. Raising it would let the flush of a window's end
	// come after originsAfter has passed on a slow network. Lowering it forbids cheaper
	// settings.
	MaxInterval = 200 * time.Millisecond
	// DefaultUrgentGap is Config.UrgentGap. Raising it lets a hot client exceed its
	// quantum for longer. Lowering it costs a message per request at full load.
	DefaultUrgentGap = time.Millisecond
	// DefaultBeatInterval is Config.BeatInterval. Raising it delays the discovery of every
	// loss. Lowering it costs traffic that grows with the square of the nodes.
	DefaultBeatInterval = time.Second
	// DefaultSuspectAfter is Config.SuspectAfter. Raising it delays what OnIsolation does
	// in a partition. Lowering it to two beats or less suspects a peer for one lost beat.
	DefaultSuspectAfter = 3 * time.Second
	// DefaultGoneAfter is Config.GoneAfter. Raising it keeps the quantum small, and so
	// messages many, after a crash. Lowering it forgets a peer in a short partition, whose
	// part of the quantum is then missing when it is back.
	DefaultGoneAfter = 30 * time.Second
)

func (c Config) withDefaults() Config {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&c.Interval, DefaultInterval)
	c.Interval = min(c.Interval, MaxInterval)
	or(&c.UrgentGap, DefaultUrgentGap)
	or(&c.BeatInterval, DefaultBeatInterval)
	or(&c.SuspectAfter, DefaultSuspectAfter)
	or(&c.GoneAfter, DefaultGoneAfter)
	if c.Cluster == "" {
		c.Cluster = "default"
	}
	if c.Prefix == "" {
		c.Prefix = "ratelimit"
	}
	if len(c.Key) == 0 {
		c.Key = []byte(DefaultClusterKey)
	}
	return c
}

func (c Config) random() *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed, uint64(c.Replica))) //nolint:gosec // jitter, no secret
}
