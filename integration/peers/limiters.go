package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/juju/ratelimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	ululestore "github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// allow decides one request of a client.
type allow func(client string) bool

// quota is the limit under which all limiters run: so many per window, and as many at once.
type quota struct {
	limit  int64
	window time.Duration
}

// subject is one limiter of the comparison. Each decides in process, and for ever holds every
// client that it was asked about.
type subject struct {
	name   string
	module string // whose version is printed, "" for our own code
	open   func(q quota) (allow, error)
	// slow divides the decisions of a round, for a limiter that takes far longer; 0 is 1.
	slow int
}

// ours is the subject that the comparison is about, and bound the one that ratios refer to.
const (
	ours  = "this project"
	bound = "bare"
)

var subjects = []subject{
	{name: "floor: id and clock", open: openFloor},
	{name: bound, open: func(q quota) (allow, error) { return newBare(q).Allow, nil }},
	{name: ours, open: openNode},
	{name: "x/time/rate in sync.Map", module: "golang.org/x/time", open: openTimeMap},
	{name: "x/time/rate sharded", module: "golang.org/x/time", open: openTime},
	{name: "go-limiter", module: "github.com/sethvargo/go-limiter", open: openGoLimiter},
	{name: "throttled", module: "github.com/throttled/throttled/v2", open: openThrottled},
	{name: "ulule/limiter", module: "github.com/ulule/limiter/v3", open: openUlule},
	{name: "juju/ratelimit sharded", module: "github.com/juju/ratelimit", open: openJuju},
	{name: "failsafe-go sharded", module: "github.com/failsafe-go/failsafe-go", open: openFailsafe},
	{name: "gubernator, local", module: "github.com/gubernator-io/gubernator/v2", open: openGubernator, slow: 20},
}

func find(name string) *subject {
	for i := range subjects {
		if subjects[i].name == name {
			return &subjects[i]
		}
	}
	panic(fmt.Sprintf("no subject %q", name))
}

// openFloor reads the id and the clock, and decides nothing: what no limiter can be below.
func openFloor(quota) (allow, error) {
	epoch, sum := time.Now(), byte(0)
	return func(client string) bool {
		sum += client[len(client)-1]
		return time.Since(epoch) > time.Duration(sum)-256
	}, nil
}

func openNode(q quota) (allow, error) {
	n, err := opened(node.Config{Name: "peers", Limit: q.limit, Window: q.window})
	if err != nil {
		return nil, err
	}
	return n.Allow, nil
}

// open are the limiters that have to be closed. An open one keeps house, and holds memory,
// which would count as the cost of whoever is measured next.
var open []io.Closer

func opened(cfg node.Config) (*node.Node, error) {
	n, err := node.Open(context.Background(), cfg)
	if err == nil {
		open = append(open, n)
	}
	return n, err
}

// closeAll closes what is open.
func closeAll() (err error) {
	for _, c := range open {
		err = errors.Join(err, c.Close())
	}
	open = nil
	return err
}

// sharded is a map from clients to limiters, in parts with a lock each.
type sharded[T any] struct {
	shards [256]struct {
		mu      sync.RWMutex
		clients map[string]T
		_       [64]byte
	}
	seed maphash.Seed
	make func() T
}

func newSharded[T any](newClient func() T) *sharded[T] {
	s := &sharded[T]{seed: maphash.MakeSeed(), make: newClient}
	for i := range s.shards {
		s.shards[i].clients = map[string]T{}
	}
	return s
}

func (s *sharded[T]) of(client string) T {
	part := &s.shards[maphash.String(s.seed, client)&255]
	part.mu.RLock()
	c, some := part.clients[client]
	part.mu.RUnlock()
	if some {
		return c
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if c, some = part.clients[client]; !some {
		c = s.make()
		part.clients[client] = c
	}
	return c
}

func (q quota) perSecond() rate.Limit { return rate.Limit(float64(q.limit) / q.window.Seconds()) }

func openTimeMap(q quota) (allow, error) {
	var all sync.Map
	return func(client string) bool {
		l, some := all.Load(client)
		if !some {
			l, _ = all.LoadOrStore(client, rate.NewLimiter(q.perSecond(), int(q.limit)))
		}
		return l.(*rate.Limiter).Allow() //nolint:forcetypeassert // nothing else is stored
	}, nil
}

func openTime(q quota) (allow, error) {
	s := newSharded(func() *rate.Limiter { return rate.NewLimiter(q.perSecond(), int(q.limit)) })
	return func(client string) bool { return s.of(client).Allow() }, nil
}

func openGoLimiter(q quota) (allow, error) {
	s, err := memorystore.New(&memorystore.Config{Tokens: uint64(q.limit), Interval: q.window, SweepInterval: 24 * time.Hour, SweepMinTTL: 24 * time.Hour}) //nolint:gosec // positive
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(client string) bool {
		_, _, _, ok, err := s.Take(ctx, client)
		return ok && err == nil
	}, nil
}

func openThrottled(q quota) (allow, error) {
	store, err := memstore.NewCtx(0) // without a bound
	if err != nil {
		return nil, err
	}
	perEach := q.window / time.Duration(q.limit)
	l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDuration(1, perEach), MaxBurst: int(q.limit - 1)})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(client string) bool {
		limited, _, err := l.RateLimitCtx(ctx, client, 1)
		return !limited && err == nil
	}, nil
}

func openUlule(q quota) (allow, error) {
	store := ululestore.NewStoreWithOptions(ulule.StoreOptions{Prefix: "p", CleanUpInterval: 24 * time.Hour})
	l, ctx := ulule.New(store, ulule.Rate{Limit: q.limit, Period: q.window}), context.Background()
	return func(client string) bool {
		c, err := l.Get(ctx, client)
		return err == nil && !c.Reached
	}, nil
}

func openJuju(q quota) (allow, error) {
	// Its buckets fill in steps: a thousand of them a window, as far as there are so many units.
	steps := min(q.limit, 1000)
	s := newSharded(func() *ratelimit.Bucket {
		return ratelimit.NewBucketWithQuantum(q.window/time.Duration(steps), q.limit, q.limit/steps)
	})
	return func(client string) bool { return s.of(client).TakeAvailable(1) == 1 }, nil
}

func openFailsafe(q quota) (allow, error) {
	s := newSharded(func() ratelimiter.RateLimiter[any] {
		return ratelimiter.NewSmooth[any](uint(q.limit), q.window) //nolint:gosec // positive
	})
	return func(client string) bool { return s.of(client).TryAcquirePermit() }, nil
}
