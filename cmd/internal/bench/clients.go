package bench

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Dist is the distribution of requests over the clients.
type Dist string

// The distributions.
const (
	Uniform Dist = "uniform" // every client is as likely as the others
	Zipf    Dist = "zipf"    // a few clients send most, a long tail sends little: exponent 1.1
	Hot     Dist = "hot"     // one client sends every second request, the others share the rest
)

const zipfExponent = 1.1

// schedule hands out the requests in turn, each with its time and its client. The sequence
// depends on the seed alone. Which worker gets a request depends on the workers' speed. Safe
// for concurrent use.
type schedule struct {
	mu       sync.Mutex
	next     int64
	total    int64
	interval float64 // nanoseconds
	random   *rand.Rand
	zipf     *rand.Zipf
	clients  int
	dist     Dist
}

func newSchedule(cfg Config, total int64) *schedule {
	r := rand.New(rand.NewPCG(cfg.Seed, 0x10ad)) //nolint:gosec // repeatable on purpose
	return &schedule{
		total: total, interval: float64(time.Second) / cfg.Rate, random: r,
		zipf:    rand.NewZipf(r, zipfExponent, 1, uint64(cfg.Clients-1)), //nolint:gosec // at least 1
		clients: cfg.Clients, dist: cfg.Dist,
	}
}

// take returns the time after the start at which the next request is due, and the name of its
// client. ok is false once all requests are handed out.
func (s *schedule) take() (due time.Duration, client string, ok bool) {
	s.mu.Lock()
	if s.next == s.total {
		s.mu.Unlock()
		return 0, "", false
	}
	due = time.Duration(float64(s.next) * s.interval)
	s.next++
	i := s.pick()
	s.mu.Unlock()
	return due, fmt.Sprintf("load-%d", i), true
}

// pick draws a client. s is locked.
func (s *schedule) pick() int {
	switch s.dist {
	case Zipf:
		return int(s.zipf.Uint64()) //nolint:gosec // below clients
	case Hot:
		if s.random.IntN(2) == 0 {
			return 0
		}
	}
	return s.random.IntN(s.clients)
}
