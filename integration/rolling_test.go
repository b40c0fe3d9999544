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

// balancer sends requests to the nodes that were ready when it last looked, in turn.
type balancer struct {
	urls  []string
	ready []atomic.Bool
	turn  atomic.Uint64

	asked, retried atomic.Int64
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

// pick is the next node in turn that is ready, -1 if none is.
func (b *balancer) pick() int {
	first := int(b.turn.Add(1) % uint64(len(b.urls))) //nolint:gosec // below the number of nodes
	for i := range b.urls {
		if n := (first + i) % len(b.urls); b.ready[n].Load() {
			return n
		}
	}
	return -1
}

// load asks again and again, at a bounded rate, until ctx is done. Nothing is asked twice
// but what was refused before a connection was there.
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
	for range b.urls {
		n := b.pick()
		if n < 0 {
			return 0, errors.New("no node is ready")
		}
		// It outlives the load, so that its end cuts nothing.
		status, err = get(context.Background(), client, http.MethodPost, b.urls[n]+"/v1/take?client="+name)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return status, err
		}
		b.retried.Add(1) // sent after the close
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
// over connections that are kept and over fresh ones.
func TestARollingRestartLosesNoRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	const (
		drain = 1500 * time.Millisecond
		look  = 200 * time.Millisecond
		each  = 4                     // clients of each kind
		every = 20 * time.Millisecond // so 400 requests a second
	)
	at := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
	var all []*daemon
	b := &balancer{ready: make([]atomic.Bool, len(at))}
	for i := range at {
		d := newDaemon(t, fmt.Sprintf("d%d", i), "-nats-cluster", at[i], "-nats-routes", strings.Join(at, ","), "-drain-delay", drain.String())
		all = append(all, d)
		b.urls = append(b.urls, "http://"+d.http)
	}
	for _, d := range all {
		eventually(t, "it hears the others", func() bool { return d.alive() == 2 })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var looking, load sync.WaitGroup
	looking.Go(func() { b.watch(ctx, look) })
	eventually(t, "the balancer knows all", func() bool { return b.ready[0].Load() && b.ready[1].Load() && b.ready[2].Load() })
	loaded, unload := context.WithCancel(ctx)
	defer unload()
	for i := range each {
		load.Go(func() { b.load(loaded, fmt.Sprintf("kept-%d", i), true, every) })
		load.Go(func() { b.load(loaded, fmt.Sprintf("fresh-%d", i), false, every) })
	}
	for i, d := range all {
		began := time.Now()
		if err := d.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "not ready", func() bool { return !b.ready[i].Load() })
		if err := d.process.cmd.Wait(); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		if took := time.Since(began); took < drain || took > drain+5*time.Second {
			t.Errorf("node %d took %v to stop", i, took)
		}
		t.Logf("node %d stopped within %v", i, time.Since(began).Round(time.Millisecond))
		d.run()
		eventually(t, "ready again", func() bool { return b.ready[i].Load() && d.alive() == 2 })
	}
	unload()
	load.Wait()
	cancel()
	looking.Wait()
	t.Logf("%d requests, %d of them at first to a node that was closed, %d lost", b.asked.Load(), b.retried.Load(), len(b.lost))
	if len(b.lost) > 0 {
		t.Errorf("%d of %d requests had no answer, such as %s", len(b.lost), b.asked.Load(), b.lost[0])
	}
	if b.asked.Load() < 500 {
		t.Errorf("only %d requests were made", b.asked.Load())
	}
}
