package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// balancer sends requests to the nodes in turn: to those that were ready when it last
// looked, or, if it is blind, to all. It asks another node only after one refused the
// connection, which is to say that the request was sent after the close.
type balancer struct {
	urls  []string
	ready []atomic.Bool
	blind bool
	turn  atomic.Uint64

	asked, refused atomic.Int64
	mu             sync.Mutex
	lost           []string
}

// watch looks at each node's readiness until ctx is done.
func (b *balancer) watch(ctx context.Context, every time.Duration) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for tick := time.NewTicker(every); ; {
		for i, url := range b.urls {
			resp, err := get(ctx, client, http.MethodGet, url+"/readyz")
			b.ready[i].Store(err == nil && resp == http.StatusOK)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// load asks again and again, at a bounded rate, until ctx is done.
func (b *balancer) load(ctx context.Context, name string, keepAlive bool, every time.Duration) {
	transport := &http.Transport{DisableKeepAlives: !keepAlive}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 10 * time.Second, Transport: transport}
	for tick := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		b.asked.Add(1)
		status, err := b.ask(client, name)
		if err != nil || (status != http.StatusOK && status != http.StatusTooManyRequests) {
			b.mu.Lock()
			b.lost = append(b.lost, fmt.Sprintf("%s: %d, %v", name, status, err))
			b.mu.Unlock()
		}
	}
}

func (b *balancer) ask(client *http.Client, name string) (status int, err error) {
	err = errors.New("no node is ready")
	first := int(b.turn.Add(1) % uint64(len(b.urls))) //nolint:gosec // below the number of nodes
	for i := range b.urls {
		n := (first + i) % len(b.urls)
		if !b.blind && !b.ready[n].Load() {
			continue
		}
		// It outlives the load, so that its end cuts nothing.
		status, err = get(context.Background(), client, http.MethodPost, b.urls[n]+"/v1/take?client="+name)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return status, err
		}
		b.refused.Add(1)
	}
	return status, err
}

// get reads the whole answer.
func get(ctx context.Context, client *http.Client, method, url string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// TestARollingRestartLosesNoRequest restarts three nodes one after the other, under load
// over connections that are kept and over fresh ones. Of the clients that heed /readyz none
// even reaches a closed node. The others get an answer, or are refused.
func TestARollingRestartLosesNoRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	const (
		drain = 1500 * time.Millisecond
		look  = 200 * time.Millisecond
		each  = 2                     // clients of each kind
		every = 20 * time.Millisecond // so 400 requests a second in all
	)
	at := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
	var all []*daemon
	heeds, blind := &balancer{ready: make([]atomic.Bool, len(at))}, &balancer{blind: true}
	for i := range at {
		d := newDaemon(t, fmt.Sprintf("d%d", i), "-nats-cluster", at[i], "-nats-routes", strings.Join(at, ","), "-drain-delay", drain.String())
		all = append(all, d)
		heeds.urls = append(heeds.urls, "http://"+d.http)
	}
	blind.urls = heeds.urls
	for _, d := range all {
		eventually(t, "it hears the others", func() bool { return d.alive() == 2 })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var looking, load sync.WaitGroup
	looking.Go(func() { heeds.watch(ctx, look) })
	ready := func(i int) func() bool { return heeds.ready[i].Load }
	for i := range all {
		eventually(t, "the balancer knows it", ready(i))
	}
	loaded, unload := context.WithCancel(ctx)
	defer unload()
	for i := range each {
		for name, b := range map[string]*balancer{"heeds": heeds, "blind": blind} {
			load.Go(func() { b.load(loaded, fmt.Sprintf("%s-kept-%d", name, i), true, every) })
			load.Go(func() { b.load(loaded, fmt.Sprintf("%s-fresh-%d", name, i), false, every) })
		}
	}
	for i, d := range all {
		began := time.Now()
		if err := d.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "not ready", func() bool { return !ready(i)() })
		if err := d.process.cmd.Wait(); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		took := time.Since(began)
		if took < drain || took > drain+5*time.Second {
			t.Errorf("node %d took %v to stop", i, took)
		}
		t.Logf("node %d stopped within %v", i, took.Round(time.Millisecond))
		d.run()
		eventually(t, "ready again", func() bool { return ready(i)() && d.alive() == 2 })
	}
	unload()
	load.Wait()
	cancel()
	looking.Wait()
	for name, b := range map[string]*balancer{"that heed /readyz": heeds, "that are blind": blind} {
		t.Logf("clients %s: %d requests, %d refused connections, %d lost", name, b.asked.Load(), b.refused.Load(), len(b.lost))
		if len(b.lost) > 0 {
			t.Errorf("clients %s: %d of %d requests had no answer, such as %s", name, len(b.lost), b.asked.Load(), b.lost[0])
		}
		if b.asked.Load() < 300 {
			t.Errorf("clients %s: only %d requests", name, b.asked.Load())
		}
	}
	if n := heeds.refused.Load(); n > 0 {
		t.Errorf("%d requests went to a node that had closed", n)
	}
}
