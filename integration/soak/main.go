// Command soak asks three nodes of one mesh for 50,000 decisions a second, of clients that come and
// go, for ten minutes. Then memory, goroutines and descriptors must be what they were after four
// tenths of the time, and all nodes must have counted the same.
//
//	go run ./integration/soak -for 10m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
)

const (
	nodes = 3
	tick  = 10 * time.Millisecond
	// crowd is how many clients ask at one time, and stay is for how many seconds each does: after
	// that it never comes again.
	crowd, stay = 20_000, 10
	perClient   = 5 // units that a client may have in a minute
)

// The most by which a measure may grow. The table of a churning crowd breathes by windows, and the
// collector by its turns. Raising these hides slow leaks; lowering them calls a breath one.
const (
	moreMemory      = 1.3
	moreGoroutines  = 5
	moreDescriptors = 5
)

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long")
	rate := flag.Int("rate", 50_000, "decisions a second, over all nodes")
	flag.Parse()
	if err := soak(*length, *rate); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// measure is what the process holds.
type measure struct {
	at          time.Duration
	memory      uint64 // in use after a collection, in bytes
	goroutines  int
	descriptors int // -1 if the system does not tell
	clients     int
}

func (m measure) String() string {
	return fmt.Sprintf("%6.0fs %8.1f MB %5d goroutines %5d descriptors %8d clients", m.at.Seconds(), float64(m.memory)/1e6, m.goroutines, m.descriptors, m.clients)
}

func take(at time.Duration, all []*node.Node) measure {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m := measure{at: at, memory: s.HeapInuse, goroutines: runtime.NumGoroutine(), descriptors: -1, clients: all[0].Stats().Clients}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		m.descriptors = len(open)
	}
	return m
}

func soak(length time.Duration, rate int) error {
	all, stop, err := cluster()
	defer stop()
	if err != nil {
		return err
	}
	var decisions atomic.Int64
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var asking sync.WaitGroup
	for i, n := range all {
		asking.Go(func() { ask(ctx, n, i, rate/nodes, &decisions) })
	}
	var first, last measure
	for step := range 10 {
		wait := time.NewTimer(time.Until(began.Add(length * time.Duration(step+1) / 10)))
		<-wait.C
		last = take(time.Since(began), all)
		fmt.Println(last)
		if step == 3 { // by now the windows of the first clients are over
			first = last
		}
	}
	asking.Wait()
	fmt.Printf("%d decisions, %.0f a second\n", decisions.Load(), float64(decisions.Load())/time.Since(began).Seconds())
	return errors.Join(flat(first, last), counted(all, decisions.Load()), agree(all))
}

// ask asks one node at a rate. Of each client, half of the requests are one too many.
func ask(ctx context.Context, n *node.Node, index, rate int, decisions *atomic.Int64) {
	began, asked := time.Now(), 0
	for ticker := time.NewTicker(tick); ctx.Err() == nil; <-ticker.C {
		for due := int(time.Since(began).Seconds() * float64(rate)); asked < due; asked++ {
			generation := asked / rate / stay
			n.Allow("client " + strconv.Itoa(generation) + " " + strconv.Itoa((asked*nodes+index)%crowd))
			decisions.Add(1)
		}
	}
}

// flat refuses what grew.
func flat(first, last measure) error {
	var faults []error
	if float64(last.memory) > moreMemory*float64(first.memory) {
		faults = append(faults, fmt.Errorf("memory grew from %d to %d bytes", first.memory, last.memory))
	}
	if last.goroutines > first.goroutines+moreGoroutines {
		faults = append(faults, fmt.Errorf("goroutines grew from %d to %d", first.goroutines, last.goroutines))
	}
	if last.descriptors > first.descriptors+moreDescriptors {
		faults = append(faults, fmt.Errorf("descriptors grew from %d to %d", first.descriptors, last.descriptors))
	}
	return errors.Join(faults...)
}

// counted compares what the nodes counted with what they were asked.
func counted(all []*node.Node, asked int64) error {
	sum := uint64(0)
	for _, n := range all {
		for _, l := range n.Stats().Limits {
			sum += l.Allowed + l.Denied
		}
	}
	if sum != uint64(asked) { //nolint:gosec // positive
		return fmt.Errorf("%d decisions were asked for, and %d counted", asked, sum)
	}
	return nil
}

// agree waits until all nodes have the same answers for the crowd that was there last.
func agree(all []*node.Node) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		differing := differ(all)
		if differing == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("30 s after the end, nodes differ on %d clients", differing)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// differ is on how many clients two nodes have counts that differ by more than the unit that drains
// between two questions.
func differ(all []*node.Node) (clients int) {
	if all[0].Stats().Clients != all[1].Stats().Clients || all[1].Stats().Clients != all[2].Stats().Clients {
		clients++ // forgotten here and not there, for the moment
	}
	for _, top := range heaviest(all[0]) {
		least, most := int64(perClient), int64(0)
		for _, n := range all {
			left := n.Do(node.Request{Client: top, Peek: true}).Remaining
			least, most = min(least, left), max(most, left)
		}
		if most-least > 1 {
			clients++
		}
	}
	return clients
}

func heaviest(n *node.Node) (clients []string) {
	top, err := n.Top("")
	if err != nil {
		return nil
	}
	for _, c := range top {
		clients = append(clients, c.Client)
	}
	return clients
}

// cluster opens the nodes, each on an embedded server, and waits until they hear each other.
func cluster() (all []*node.Node, stop func(), err error) {
	var servers []*embednats.Server
	stop = func() {
		for _, n := range all {
			_ = n.Close()
		}
		for _, s := range servers {
			_ = s.Close()
		}
	}
	var routes []string
	for i := range nodes {
		s, err := embednats.Start(embednats.Config{ClusterListen: "127.0.0.1:0", Routes: routes, RoutePassword: "soak"})
		if err != nil {
			return all, stop, err
		}
		servers, routes = append(servers, s), append(routes, s.ClusterAddr())
		n, err := node.Open(context.Background(), node.Config{
			Name: "n" + strconv.Itoa(i), Limit: perClient, Window: time.Minute, ClusterKey: []byte("the key of the soak"),
			NATS: node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{s.InProcess()}},
		})
		if err != nil {
			return all, stop, err
		}
		all = append(all, n)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		together := true
		for _, n := range all {
			together = together && n.Ready() == nil && len(n.Stats().Sync.Peers) == nodes-1
		}
		if together {
			return all, stop, nil
		}
		if time.Now().After(deadline) {
			return all, stop, errors.New("the nodes have not found each other within 30 s")
		}
	}
}
