package sync

import (
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Config is what an Engine is made from. Zero durations mean their defaults.
type Config struct {
	Node    string       // own name, see ValidName
	Replica crdt.Replica // own incarnation: random, new at every start
	Cluster string       // default "default"
	Prefix  string       // of subjects, default "ratelimit"
	Key     []byte       // the cluster key, default DefaultClusterKey

	// Alone says that no peers are to be expected: ready at once. They may come.
	Alone bool
	// Interval is how long an admission may wait before it is sent, unless its
	// client's quantum sends it sooner. Default 50 ms, at most 200 ms.
	Interval time.Duration
	// UrgentGap is the least time between two urgent flushes, so that a hot client
	// does not cost a message per request. Default 1 ms.
	UrgentGap time.Duration
	// BeatInterval is the time between beats, default 1 s. A peer is suspect after
	// SuspectAfter (default 3 s) of silence, gone after GoneAfter (default 30 s).
	BeatInterval, SuspectAfter, GoneAfter time.Duration
	// Seed makes jitter and the choice of peers repeatable.
	Seed uint64
}

// Defaults of Config.
const (
	DefaultInterval     = 50 * time.Millisecond
	MaxInterval         = 200 * time.Millisecond
	DefaultUrgentGap    = time.Millisecond
	DefaultBeatInterval = time.Second
	DefaultSuspectAfter = 3 * time.Second
	DefaultGoneAfter    = 30 * time.Second
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
	return rand.New(rand.NewPCG(c.Seed, uint64(c.Replica))) //nolint:gosec // jitter and peer choice, no secret
}
