package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// TestLongTenMillionClientsAreSavedAndRestored says what the files of counts cost at the default cap
// on clients: how long they take, and how long decisions take meanwhile. It fails if a client is
// lost, and judges no time: docs/performance.md has the figures.
func TestLongTenMillionClientsAreSavedAndRestored(t *testing.T) {
	if os.Getenv("RATELIMIT_LONG") != "1" {
		t.Log("set RATELIMIT_LONG=1 for ten million clients: some minutes, and 6 GB of memory")
		return
	}
	const clients, limit = 10_000_000, 100
	cfg := node.Config{Limit: limit, Window: 24 * time.Hour, MaxClients: clients + 10_000}
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	took(t, "fill the table", func() {
		var all sync.WaitGroup
		for worker := range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for i := worker; i < clients; i += runtime.GOMAXPROCS(0) {
					n.Take(name(i), int64(i%limit/2+1))
				}
			})
		}
		all.Wait()
	})
	t.Logf("%d clients, %d MB of heap", n.Stats().Clients, heapInUse()>>20)

	c, dir, log := keeper(t, time.Hour)
	decide(t, n, "without a save", clients, func() { time.Sleep(15 * time.Second) })
	decide(t, n, "during a save at the default rate", clients, func() { took(t, "save", func() { c.save(n, c.pace()) }) })
	decide(t, n, "during a save as at a stop", clients, func() { took(t, "save", func() { c.last(context.Background(), n) }) })
	if log.Len() > 0 {
		t.Fatal(log)
	}
	size, err := os.Stat(filepath.Join(dir, countsFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the file has %d MB, %.1f bytes for each client; at most %d MB fit", size.Size()>>20, float64(size.Size())/clients, mostCounts>>20)
	left := map[string]int64{}
	for i := 0; i < clients; i += 997 {
		left[name(i)] = n.Do(node.Request{Client: name(i), Peek: true}).Remaining
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = nil
	t.Logf("%d MB of heap without the node", heapInUse()>>20)

	var peak atomic.Uint64
	done, restored := make(chan struct{}), node.Restored{}
	c.bring(&cfg)
	cfg.CountsRestored = func(r node.Restored, failed error) {
		restored, err = r, failed
		close(done)
	}
	began := time.Now()
	again, failed := node.Open(t.Context(), cfg)
	if failed != nil {
		t.Fatal(failed)
	}
	t.Cleanup(func() { _ = again.Close() })
	for again.Ready() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	decide(t, again, "during the restore", 0, func() {
		took(t, "restore", func() {
			for waits := true; waits; {
				select {
				case <-done:
					waits = false
				case <-time.After(200 * time.Millisecond):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak.Store(max(peak.Load(), m.HeapInuse))
				}
			}
		})
	})
	t.Logf("restored %d clients, %d lost, in %v; up to %d MB of heap, %d MB in the end", restored.Clients, restored.Lost, restored.Took, peak.Load()>>20, heapInUse()>>20)
	if err != nil || restored.Clients != clients || restored.Lost != 0 || restored.Unused {
		t.Fatalf("restored %+v, %v", restored, err)
	}
	for client, before := range left {
		if now := again.Do(node.Request{Client: client, Peek: true}).Remaining; now < before || now > before+limit/10 {
			t.Fatalf("%s has %d left, and had %d", client, now, before)
		}
	}
}

func name(i int) string { return "client-" + strconv.Itoa(i) }

// took logs how long something took, and how much processor time the whole process used meanwhile.
func took(t *testing.T, what string, do func()) {
	began, used := time.Now(), processor(t)
	do()
	t.Logf("%s: %v, and %v of processor time", what, time.Since(began).Round(time.Millisecond), (processor(t) - used).Round(time.Millisecond))
}

// processor is the processor time that the process used.
func processor(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heapInUse is what is in use after a collection, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// decide asks for decisions while something is done, and logs how long they took: on so many
// clients that the node knows, or on a thousand new ones if known is 0.
func decide(t *testing.T, n *node.Node, when string, known int, do func()) {
	var stop atomic.Bool
	var asking sync.WaitGroup
	took := make([]time.Duration, 0, 1<<24)
	asking.Go(func() {
		for i := 0; !stop.Load() && len(took) < cap(took); i++ {
			client := fmt.Sprintf("new %d", i%1000)
			if known > 0 {
				client = name(i * 7919 % known)
			}
			began := time.Now()
			n.Do(node.Request{Client: client, Peek: i%2 == 0})
			took = append(took, time.Since(began))
			if i%100 == 99 {
				time.Sleep(50 * time.Microsecond) // as if requests came in between
			}
		}
	})
	do()
	stop.Store(true)
	asking.Wait()
	slices.Sort(took)
	at := func(part float64) time.Duration { return took[int(part*float64(len(took)-1))] }
	t.Logf("%d decisions %s: median %v, p99 %v, p99.9 %v, p99.99 %v, longest %v", len(took), when, at(0.5), at(0.99), at(0.999), at(0.9999), at(1))
}
