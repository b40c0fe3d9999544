package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Dist is the distribution of requests over the clients. It is a flag.Value. The zero value is
// uniform.
type Dist struct {
	Kind  Kind    `json:"kind"`
	Value float64 `json:"value,omitempty"` // Zipf's exponent; the hot client's share
}

// Kind is a kind of distribution.
type Kind string

// The distributions.
const (
	Uniform Kind = "uniform" // every client is as likely as the others
	Zipf    Kind = "zipf"    // a few clients send most, a long tail sends little
	Hot     Kind = "hot"     // one client sends a share of all, the others share the rest
)

// String implements flag.Value.
func (d Dist) String() string {
	if d.Value == 0 {
		return string(d.Kind)
	}
	return fmt.Sprintf("%s:%g", d.Kind, d.Value)
}

// Set implements flag.Value: uniform, zipf, zipf:1.3, hot or hot:0.9.
func (d *Dist) Set(text string) error {
	kind, value, given := strings.Cut(text, ":")
	next := Dist{Kind: Kind(kind)}
	switch next.Kind {
	case Uniform:
	case Zipf:
		next.Value = 1.1
	case Hot:
		next.Value = 0.5
	}
	var err error
	if given {
		next.Value, err = strconv.ParseFloat(value, 64)
	}
	ok := err == nil
	switch next.Kind {
	case Uniform:
		ok = ok && !given
	case Zipf:
		ok = ok && next.Value > 1 && next.Value <= 10
	case Hot:
		ok = ok && next.Value > 0 && next.Value <= 1
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("must be uniform, zipf, zipf:EXPONENT above 1 and at most 10, hot, or hot:SHARE above 0 and at most 1")
	}
	*d = next
	return nil
}

// due is one request of the schedule.
type due struct {
	at     time.Duration // after the start
	client int
	node   int
}

// schedule hands out the requests in turn, each with its time, its client and its node. The
// sequence depends on the seed alone. Which worker gets a request depends on the workers' speed.
// Safe for concurrent use.
type schedule struct {
	mu      sync.Mutex
	next    int64
	total   int64
	profile profile // nil: as fast as answers come
	random  *rand.Rand
	zipf    *rand.Zipf
	clients int
	nodes   int
	dist    Dist
}

func newSchedule(cfg *Config, total int64, nodes int) *schedule {
	r := rand.New(rand.NewPCG(cfg.Seed, 0x10ad)) //nolint:gosec // repeatable on purpose
	s := &schedule{total: total, profile: cfg.profile(), random: r, clients: cfg.Clients, nodes: nodes, dist: cfg.Dist}
	if cfg.Dist.Kind == Zipf {
		s.zipf = rand.NewZipf(r, cfg.Dist.Value, 1, uint64(cfg.Clients-1)) //nolint:gosec // at least 1
	}
	return s
}

// take returns the next request. ok is false once all are handed out. A request of a schedule
// without a rate is due at since, the time after the start.
func (s *schedule) take(since time.Duration) (d due, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.total {
		return due{}, false
	}
	d = due{at: since, client: s.pick()}
	if s.profile != nil {
		d.at = s.profile.due(s.next)
	}
	if s.nodes > 1 {
		d.node = s.random.IntN(s.nodes)
	}
	s.next++
	return d, true
}

// pick draws a client. s is locked.
func (s *schedule) pick() int {
	switch s.dist.Kind {
	case Zipf:
		return int(s.zipf.Uint64()) //nolint:gosec // below clients
	case Hot:
		if s.random.Float64() < s.dist.Value {
			return 0
		}
	}
	return s.random.IntN(s.clients)
}

// client is the id of a client.
func (c *Config) client(i int) string { return cmp.Or(c.Prefix, DefaultPrefix) + strconv.Itoa(i) }
