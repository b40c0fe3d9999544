package dashboard

import (
	"net/http"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/redact"
)

// Node is the node that the dashboard shows; *node.Node is one. The dashboard calls all methods
// concurrently.
type Node interface {
	Stats() node.Stats
	Top(limit string) ([]node.TopClient, error)
	Explain(limit, client string) (node.Explanation, error)
	// Changes are those of limits that do not hold yet.
	Changes() []node.LimitChange
}

// Config configures a dashboard. The zero value of a field other than Node is its default.
type Config struct {
	Node Node
	// Version is the program's version. Default "unknown".
	Version string
	// RedactClients shows clients under made-up names, the same as in /v1/top.
	RedactClients bool
	// Log is what the page lists as events. Default: an empty list.
	Log *Log
	// Alone says that the handler is not mounted in package httpapi. The page then offers
	// nothing that needs /v1/explain or /v1/limits.
	Alone bool
}

// sampleEvery is the time between two points of the charts. Raising it makes the page look
// frozen; lowering it reads the node's statistics more often, whoever looks.
const sampleEvery = time.Second

// Dashboard records a node and serves the page. Make one with New, and Close it. Safe for
// concurrent use.
type Dashboard struct {
	cfg     Config
	redact  redact.Names
	log     *Log
	streams chan struct{} // a place for each stream
	mux     *http.ServeMux

	closing sync.Once
	closed  chan struct{}
	sampler sync.WaitGroup

	mu     sync.Mutex // guards what follows
	past   recorder
	detail map[string]*detail // by limit, of the newest sample; made when a stream asks
	woken  chan struct{}      // closed at each sample
}

// New makes a dashboard and starts its recording, which ends with Close.
func New(cfg Config) *Dashboard {
	if cfg.Version == "" {
		cfg.Version = "unknown"
	}
	if cfg.Log == nil {
		cfg.Log = NewLog()
	}
	d := &Dashboard{
		cfg: cfg, redact: redact.Names(cfg.RedactClients), log: cfg.Log, streams: make(chan struct{}, MaxStreams),
		closed: make(chan struct{}), woken: make(chan struct{}),
	}
	d.mux = http.NewServeMux()
	d.mux.HandleFunc("GET /{$}", servePage)
	d.mux.HandleFunc("GET /ui/{file}", serveFile)
	d.mux.HandleFunc("GET /v1/events", d.serveEvents)
	d.sample()
	d.sampler.Go(d.run)
	return d
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// Close ends the recording and all streams, so that a server that shuts down need not wait for
// those who look. It may be called again.
func (d *Dashboard) Close() {
	d.closing.Do(func() { close(d.closed) })
	d.sampler.Wait()
}

func (d *Dashboard) run() {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.closed:
			return
		case <-tick.C:
			d.sample()
		}
	}
}

// sample takes a point, and wakes the streams.
func (d *Dashboard) sample() {
	s, now := d.cfg.Node.Stats(), time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.past.add(&s, now) {
		for _, name := range d.past.busiest(clientsOf) {
			clients, err := d.cfg.Node.Top(name)
			if err == nil { // else somebody deleted the limit meanwhile
				d.past.addClients(name, clients, now)
			}
		}
	}
	d.detail = map[string]*detail{}
	close(d.woken)
	d.woken = make(chan struct{})
}
