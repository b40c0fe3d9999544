package integration_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

// probed asks a node for its health, over and over, beside decisions for new clients.
type probed struct {
	node  *node.Node
	api   http.Handler
	asked atomic.Int64 // rounds of all probes that came back
	next  int          // client

	decisions []time.Duration
	mu        sync.Mutex // guards probes
	probes    map[string][]time.Duration
}

// press asks for 50,000 new clients a second, until enough says so. It is asked five times a second.
func (p *probed) press(t *testing.T, enough func(since time.Duration) bool) {
	t.Helper()
	const batch, rate = 100, 50_000
	p.decisions, p.probes = nil, map[string][]time.Duration{}
	stop := make(chan struct{})
	var probing sync.WaitGroup
	probing.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			for _, path := range []string{"/readyz", "/metrics", "/v1/status"} {
				began, w := time.Now(), httptest.NewRecorder()
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
				r.Host = "localhost"
				p.api.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				p.mu.Lock()
				p.probes[path] = append(p.probes[path], time.Since(began))
				p.mu.Unlock()
			}
			p.asked.Add(1)
		}
	})
	began := time.Now()
	for round := 0; round%100 != 0 || !enough(time.Since(began)); round++ {
		for range batch {
			p.next++
			client, at := "client "+strconv.Itoa(p.next), time.Now()
			p.node.Allow(client)
			p.decisions = append(p.decisions, time.Since(at))
		}
		time.Sleep(time.Until(began.Add(time.Duration(round) * time.Second * batch / rate)))
	}
	close(stop)
	probing.Wait()
}

// slowest lists the 99.9th percentile of decisions, and the worst of everything.
func (p *probed) slowest() (p999, worst time.Duration, text string) {
	slices.Sort(p.decisions)
	p999, worst = p.decisions[len(p.decisions)*999/1000], p.decisions[len(p.decisions)-1]
	text = fmt.Sprintf("%d decisions: p99.9 %v, worst %v", len(p.decisions), p999, worst)
	for path, all := range p.probes {
		most := slices.Max(all)
		worst = max(worst, most)
		text += fmt.Sprintf("; %s: worst of %d %v", path, len(all), most)
	}
	return p999, worst, text
}

// TestNothingWaitsForAFrozenServer stops nats-server under a node that has much to send. The
// client library then waits for a minute with its lock held, as long as the server does not
// read. No probe of the node's health may wait with it, or a healthy node gets killed. The
// connection is narrow, and a ping that nobody answers does not end it, so a slow machine fills it, too.
func TestNothingWaitsForAFrozenServer(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server and real seconds")
	}
	h := newHub(t, "-a", "127.0.0.1")
	via := h.join()
	via.Options = []nats.Option{nats.FlusherTimeout(time.Minute), nats.PingInterval(time.Hour), nats.SetCustomDialer(narrow{})}
	c := &cluster{t: t, net: h}
	n := c.open(node.Config{Limit: 10, Window: time.Minute, MaxClients: 2_000_000, NATS: via})
	c.open(node.Config{Limit: 10, Window: time.Minute, NATS: h.join()})
	c.await("two nodes", c.together)

	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.New(n))
	p := &probed{node: n, api: httpapi.New(httpapi.Config{Node: n, Loopback: true, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})})}
	p.press(t, func(since time.Duration) bool { return since > 3*time.Second })
	calm, _, text := p.slowest()
	t.Log("calm: ", text)

	if err := h.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	asked, held := p.asked.Load(), time.Duration(0)
	p.press(t, func(since time.Duration) bool {
		if held == 0 && aWriteWaits() {
			held, asked = since, p.asked.Load()
		}
		return since > patience || held > 0 && since > held+5*time.Second
	})
	frozen, worst, text := p.slowest()
	t.Log("frozen: ", text)
	t.Logf("held up after %v; the p99.9 of a decision is %.1f times that of the calm", held, float64(frozen)/float64(max(1, calm)))
	if held == 0 {
		t.Fatal("the server held nothing up")
	}
	if p.asked.Load() == asked {
		t.Error("no probe came back since")
	}
	// Waiting for the server would take a minute.
	if worst > patience/2 {
		t.Errorf("the slowest took %v", worst)
	}
	closed := make(chan error, 1)
	go func() { closed <- n.Close() }()
	select {
	case err := <-closed:
		t.Log("close: ", err)
	case <-time.After(patience):
		t.Error("Close waits for the frozen server")
	}
	if err := h.process.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// narrow dials connections that take little before they are full.
type narrow struct{}

func (narrow) Dial(network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 2 * time.Second, Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10)
		}), err)
	}}
	return d.Dial(network, address)
}

// aWriteWaits reports whether the client library waits until a server reads.
func aWriteWaits() bool {
	stacks := make([]byte, 4<<20)
	for one := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(one, "[IO wait") && strings.Contains(one, "net.(*conn).Write(") && strings.Contains(one, "nats-io/nats") {
			return true
		}
	}
	return false
}
