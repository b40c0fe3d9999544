package natskv

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

const (
	// A watcher retries a bucket that it cannot read. The pause doubles from leastRetry to
	// mostRetry. Lower asks a server that is down more often; higher delays the recovery.
	leastRetry = 250 * time.Millisecond
	mostRetry  = 5 * time.Second
)

// Watcher applies a bucket's content to a node's limits. Make one with Watch. All methods
// are safe for concurrent use.
type Watcher struct {
	cfg  Config
	log  *slog.Logger
	js   jetstream.JetStream
	stop context.CancelFunc
	done chan struct{}

	// Of the goroutine.
	contents contents
	joined   bool

	mu    sync.Mutex
	stats Stats
}

// Stats describe a Watcher. Counters start with it.
type Stats struct {
	// Current is true while the watcher has read the bucket and follows it. If it is false,
	// Problem says why, and the limits stay as they were.
	Current bool
	Problem string
	Limits  int    // in the bucket, with refused ones
	Reads   uint64 // readings of the whole bucket
	Checks  uint64 // checks that found nothing to do
	Set     uint64 // limits that this node set
	Deleted uint64 // limits that this node deleted; not those that another node deleted first
	Refused uint64 // values that are no limits, or that the node refused
}

// Watch follows the bucket until ctx is done or the Watcher is closed. It does not wait for
// the server. It does not fail if the server or the bucket is away. The error is a
// *node.FieldError, or about ctx.
func Watch(ctx context.Context, cfg Config) (*Watcher, error) {
	if ctx == nil {
		return nil, errors.New("natskv: the context is nil")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(cfg.Conn, jetstream.WithDefaultTimeout(answerWithin))
	if err != nil {
		return nil, fieldError("conn", "of this kind", err.Error())
	}
	w := &Watcher{cfg: cfg, log: cfg.Logger, js: js, done: make(chan struct{})}
	w.stats.Problem = "not read yet"
	ctx, w.stop = context.WithCancel(ctx)
	go w.run(ctx)
	return w, nil
}

// Close stops the watcher within seconds, and leaves the limits as they are. Close is
// idempotent.
func (w *Watcher) Close() {
	w.stop()
	<-w.done
}

// Stats describes the Watcher at this moment.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

func (w *Watcher) count(change func(*Stats)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.stats)
}

// run reads the bucket again and again: each reading goes on until something is not as
// it should be.
func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	retry := leastRetry
	for {
		err := w.read(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, errAnew):
			retry = leastRetry
			continue
		case w.lost(err):
			retry = leastRetry // it was current until now
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry/2 + rand.N(retry)):
		}
		retry = min(2*retry, mostRetry)
	}
}

// lost notes that the bucket cannot be read, says so once for each cause, and reports
// whether it was current before.
func (w *Watcher) lost(err error) (was bool) {
	why := spec.OneLine(err)
	fresh := false
	w.count(func(s *Stats) {
		was, fresh = s.Current, s.Problem != why
		s.Current, s.Problem = false, why
	})
	if fresh {
		w.log.Warn("the NATS bucket cannot be read: the limits stay as they are", "error", why)
	}
	return was
}

// hasJoined reports whether the node knows what its peers wrote.
func (w *Watcher) hasJoined() bool {
	w.joined = w.joined || w.cfg.Node.Stats().Sync.Ready
	return w.joined
}

// current notes that the bucket was read.
func (w *Watcher) current() {
	was := false
	w.count(func(s *Stats) {
		was = s.Current
		s.Current, s.Problem, s.Limits = true, "", w.contents.limits
		s.Reads++
	})
	if !was {
		w.log.Info("limits follow the NATS bucket", "limits", w.contents.limits)
	}
}
