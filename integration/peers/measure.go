package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// load is one way in which clients come.
type load struct {
	name    string
	quota   quota
	clients int
	zipf    bool
	cores   int
	turn    int // decisions of each goroutine in a round
}

const (
	most = 1_000_000_000
	// eachTurn is how many decisions a goroutine makes in a round. Fewer are over before the processor's
	// speed and the caches are as they stay; more take longer.
	eachTurn = 500_000
)

// loads are those of the tables. A quota of one an hour denies nearly everything.
func loads(million int) []load {
	plenty, none := quota{most, time.Second}, quota{1, time.Hour}
	return []load{
		{"one client", plenty, 1, false, 1, eachTurn},
		{"one client, denied", none, 1, false, 1, eachTurn},
		{"10,000 zipf", plenty, 10_000, true, 1, eachTurn},
		{"10,000 zipf, denied", none, 10_000, true, 1, eachTurn},
		{fmt.Sprintf("%d uniform", million), plenty, million, false, 1, eachTurn},
		{"one client, 2 cores", plenty, 1, false, 2, eachTurn},
		{"one client, denied, 2 cores", none, 1, false, 2, eachTurn},
	}
}

// ids are client ids of 20 bytes.
func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("client-%013d", i)
	}
	return out
}

// order is the order in which clients come.
func (l *load) order() []uint32 {
	rnd := rand.New(rand.NewPCG(1, 2))                //nolint:gosec // nothing secret
	z := rand.NewZipf(rnd, 1.1, 1, uint64(l.clients)) //nolint:gosec // positive
	out := make([]uint32, 1<<20)
	for i := range out {
		if out[i] = uint32(rnd.IntN(l.clients)); l.zipf { //nolint:gosec // small
			out[i] = uint32(z.Uint64()) % uint32(l.clients) //nolint:gosec // small
		}
	}
	return out
}

// cpu is the CPU time that the process used so far. Load from other programs then costs little.
func cpu() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// run lets goroutines on all cores of the load decide, from position at on, and returns the
// CPU time of one decision in nanoseconds.
func (l *load) run(f allow, clients []string, order []uint32, at, turn int) float64 {
	mask := len(order) - 1
	before := cpu()
	var all sync.WaitGroup
	for lane := range l.cores {
		all.Go(func() {
			for i := at + lane*7919; i < at+lane*7919+turn; i++ {
				f(clients[order[i&mask]])
			}
		})
	}
	all.Wait()
	return float64(cpu()-before) / float64(turn*l.cores)
}

// figure is a median with its quartiles.
type figure struct{ low, median, high float64 }

func (f figure) String() string { return fmt.Sprintf("%.2f [%.2f, %.2f]", f.median, f.low, f.high) }

func figureOf(x []float64) figure {
	slices.Sort(x)
	return figure{x[len(x)/4], x[len(x)/2], x[len(x)*3/4]}
}

// compare measures a subject beside the bound, turn and turn about, so that what else the
// machine does hits both. ratio is the median over rounds.
func (l *load) compare(s *subject, rounds int, clients []string) (nanos, ratio figure, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(l.cores))
	f, err := s.open(l.quota)
	if err != nil {
		return nanos, ratio, err
	}
	g, err := find(bound).open(l.quota)
	if err != nil {
		return nanos, ratio, err
	}
	for _, c := range clients {
		f(c)
		g(c)
	}
	runtime.GC()
	order := l.order()
	l.run(f, clients, order, 0, l.turn/max(1, s.slow)) // a limiter may measure, too, before it is at its speed
	l.run(g, clients, order, 0, l.turn)
	var all, ratios []float64
	for round := range rounds {
		var a, b float64
		at, turn := round*l.turn, l.turn/max(1, s.slow)
		if round%2 == 0 { // who goes second finds warm caches
			a, b = l.run(f, clients, order, at, turn), l.run(g, clients, order, at, l.turn)
		} else {
			b, a = l.run(g, clients, order, at, l.turn), l.run(f, clients, order, at, turn)
		}
		all, ratios = append(all, a), append(ratios, a/b)
	}
	return figureOf(all), figureOf(ratios), closeAll()
}

// memory is what a client costs on the heap, and the CPU time of a collection of all.
func memory(s *subject, clients []string) (bytes float64, collection time.Duration, err error) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what finalizers held goes in the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	f, err := s.open(quota{100, time.Minute})
	if err != nil {
		return 0, 0, err
	}
	for _, c := range clients {
		f(c)
	}
	used := heap() - before
	from := cpu()
	runtime.GC()
	collection = cpu() - from
	runtime.KeepAlive(f)
	return float64(used) / float64(len(clients)), collection, closeAll()
}

// allocations is how many objects a decision on a known client allocates.
func allocations(s *subject, client string) (float64, error) {
	f, err := s.open(quota{most, time.Second})
	if err != nil {
		return 0, err
	}
	f(client)
	const n = 10_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f(client)
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n), closeAll() // a stray one of another goroutine rounds down
}
