package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	countsFile = "counts.bin"
	// mostCounts is the largest file of counts, in bytes: some 25 million clients. Raising it fills
	// disks; lowering it saves nothing of large tables.
	mostCounts = 1 << 30
	// countsRate is how many bytes of counts a running node writes in a second. Raising it takes more of
	// the disk and of a CPU while it writes. Lowering it makes a file of ten million clients take
	// longer than an interval, and so a crash forget more.
	countsRate = 16 << 20
	// countsPiece is how many bytes go to the disk at once. Raising it makes the writing burstier.
	countsPiece = 256 << 10
)

var (
	errCountsSize = fmt.Errorf("they take more than %d MiB", mostCounts>>20)
	errStopSaving = errors.New("the daemon stops")
)

// counter is the node, as its counts are saved.
type counter interface {
	SaveCounts(w io.Writer, last bool) error
}

// countsMetrics say how the saving of counts goes.
type countsMetrics struct {
	saved, at, bytes, took, restored prometheus.Gauge
}

func newCountsMetrics() *countsMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "ratelimiter_counts_" + name, Help: help})
	}
	m := &countsMetrics{
		saved:    gauge("last_save_successful", "1 if the node could last save what clients used. 1 also without a state directory, and before the first time."),
		at:       gauge("last_save_timestamp_seconds", "When the node last began to save what clients used, and could; 0 if it never did."),
		bytes:    gauge("last_save_bytes", "Size of the file of counts that the node saved last."),
		took:     gauge("last_save_duration_seconds", "How long the node took to save counts last. It writes 16 MiB a second, and as fast as it can while it stops."),
		restored: gauge("restored_clients", "Clients whose counts the node brought back at its start from the file of its last run."),
	}
	m.saved.Set(1)
	return m
}

func (m *countsMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.saved, m.at, m.bytes, m.took, m.restored}
}

// counts keeps what clients used in the state directory. The zero value keeps nothing. Its methods
// are for one goroutine, but for those that say otherwise.
type counts struct {
	state    *state
	interval time.Duration
	log      *slog.Logger
	metrics  *countsMetrics
	file     *os.File // of the last run, until it is read

	stopping chan struct{}
	saving   sync.WaitGroup
	failed   string // last error, so that the log has it once
}

// openCounts makes the keeper of counts. It keeps nothing without a directory, or where the interval
// is 0.
func openCounts(s *state, interval time.Duration, log *slog.Logger) *counts {
	c := &counts{state: s, interval: interval, log: log, metrics: newCountsMetrics()}
	if s.dir == "" || interval == 0 {
		return c
	}
	c.stopping = make(chan struct{})
	left, _ := filepath.Glob(filepath.Join(s.dir, "."+countsFile+"-*")) // the pattern is well-formed
	for _, name := range left {                                         // of a run that ended while it wrote
		_ = os.Remove(name)
	}
	return c
}

func (c *counts) on() bool { return c.stopping != nil }

// bring gives a node the file of its last run.
func (c *counts) bring(cfg *node.Config) {
	cfg.SavedCounts, cfg.CountsRestored = nil, nil
	if !c.on() {
		return
	}
	f, err := config.OpenRegular(filepath.Join(c.state.dir, countsFile), mostCounts)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		c.aside(err)
		return
	}
	c.file = f
	cfg.SavedCounts, cfg.CountsRestored = f, c.brought
}

// brought takes what became of the file. Any goroutine may call it.
func (c *counts) brought(r node.Restored, err error) {
	_ = c.file.Close() // it was only read
	switch {
	case err != nil:
		c.aside(err)
	case r.Unused:
		c.log.Info("saved counts are not needed: another node ran on, and told what it knows", "saved_at", r.SavedAt.UTC())
	case r.Lost > 0:
		c.log.Warn("not all saved counts could be brought back: the table is full, or limits count in another way since", "clients", r.Clients, "lost", r.Lost, "saved_at", r.SavedAt.UTC())
	default:
		c.log.Info("saved counts are back", "clients", r.Clients, "saved_at", r.SavedAt.UTC(), "age", time.Since(r.SavedAt).Round(time.Millisecond), "took", r.Took.Round(time.Millisecond))
	}
	if err == nil && !r.Unused {
		c.metrics.restored.Set(float64(r.Clients - r.Lost))
	}
}

// aside puts a file away that cannot be used.
func (c *counts) aside(why error) {
	c.state.putAside(countsFile, "saved counts cannot be used: starting without them; what clients used before counts only as far as other nodes know it", why)
}

// start saves every interval from now on, until stop.
func (c *counts) start(n counter) {
	if !c.on() {
		return
	}
	c.saving.Go(func() {
		ticker := time.NewTicker(c.interval)
		defer ticker.Stop()
		for {
			select {
			case <-c.stopping:
				return
			case <-ticker.C:
				c.save(n, c.pace())
			}
		}
	})
}

// stop ends the saving, and gives up a file that is half written.
func (c *counts) stop() {
	if c.on() {
		close(c.stopping)
		c.saving.Wait()
		_ = c.file.Close() // unless it was read by now
	}
}

// last saves for the last time, as fast as it can until ctx is done. The node takes nothing any more.
func (c *counts) last(ctx context.Context, n counter) {
	if c.on() {
		c.save(n, func(int) error { return context.Cause(ctx) })
	}
}

// pace lets somebody write countsRate bytes in a second, from now on.
func (c *counts) pace() func(int) error {
	began, bytes := time.Now(), int64(0)
	return func(n int) error {
		bytes += int64(n)
		due := began.Add(time.Duration(float64(bytes) / countsRate * float64(time.Second)))
		select {
		case <-c.stopping:
			return errStopSaving
		case <-time.After(time.Until(due)):
			return nil
		}
	}
}

// save writes all counts. pace is asked before each piece that goes to the disk.
func (c *counts) save(n counter, pace func(int) error) {
	began := time.Now()
	size := int64(0)
	err := c.state.replace(countsFile, func(w io.Writer) error {
		to := bufio.NewWriterSize(&paced{to: w, pace: pace, size: &size}, countsPiece)
		if err := n.SaveCounts(to, c.ended()); err != nil {
			return err
		}
		return to.Flush()
	})
	switch {
	case err == nil:
		c.failed = ""
		c.metrics.saved.Set(1)
		c.metrics.at.Set(float64(began.UnixNano()) / 1e9)
		c.metrics.bytes.Set(float64(size))
		c.metrics.took.Set(time.Since(began).Seconds())
	case errors.Is(err, errStopSaving), errors.Is(err, node.ErrJoining), errors.Is(err, node.ErrRestoring), errors.Is(err, node.ErrClockAhead):
		// The file that is there knows more, or is about to be replaced.
	default:
		c.metrics.saved.Set(0)
		if text := err.Error(); text != c.failed {
			c.failed = text
			c.log.Error("counts could not be saved: if all nodes stop, what clients used since the last time is forgotten", "file", filepath.Join(c.state.dir, countsFile), "error", oneLine(err))
		}
	}
}

// ended reports whether stop was called.
func (c *counts) ended() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// paced writes no more than mostCounts bytes, and as fast as pace lets it.
type paced struct {
	to   io.Writer
	pace func(int) error
	size *int64
}

func (p *paced) Write(b []byte) (int, error) {
	if *p.size += int64(len(b)); *p.size > mostCounts {
		return 0, errCountsSize
	}
	if err := p.pace(len(b)); err != nil {
		return 0, err
	}
	return p.to.Write(b)
}
