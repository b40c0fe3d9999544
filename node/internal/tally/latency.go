package tally

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
)

// LatencyEvery says how many decisions there are to one whose time is measured.
const LatencyEvery = top.TimedEvery

// latencyBounds are the upper bounds of the latency histogram, in nanoseconds. More bounds
// make finer percentiles and more Prometheus series.
var latencyBounds = [...]int64{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 102400, 409600, 1638400, 6553600}

// The finer buckets. There are four for each power of two, so that a percentile is off by at most
// 9 %, from 0.5^25 s (30 ns) to 0.5^6 s (16 ms). Raising the schema by one doubles them.
const (
	LatencyFineSchema = 2
	LatencyFineFirst  = -25 << LatencyFineSchema
	latencyFineLast   = -6 << LatencyFineSchema
)

// Latency is a histogram of decision times, in coarse and in fine buckets. The zero value is ready.
// Safe for concurrent use.
type Latency struct {
	counts [len(latencyBounds) + 1]atomic.Uint64
	fine   [latencyFineLast - LatencyFineFirst + 1]atomic.Uint64
	sum    atomic.Int64
}

// Observe counts a decision that took d nanoseconds.
func (h *Latency) Observe(d int64) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	bucket := int(math.Ceil(math.Log2(float64(max(d, 1))/1e9) * (1 << LatencyFineSchema)))
	h.fine[min(max(bucket, LatencyFineFirst), latencyFineLast)-LatencyFineFirst].Add(1)
	h.sum.Add(max(d, 0))
}

// Sum is of all times.
func (h *Latency) Sum() time.Duration { return time.Duration(h.sum.Load()) }

// Counts are those of the coarse buckets, of which the last has no bound, and of the fine ones.
func (h *Latency) Counts() (coarse, fine []uint64) {
	for i := range h.counts {
		coarse = append(coarse, h.counts[i].Load())
	}
	for i := range h.fine {
		fine = append(fine, h.fine[i].Load())
	}
	return coarse, fine
}

// LatencyBounds are the upper bounds of the coarse buckets but the last.
func LatencyBounds() (bounds []time.Duration) {
	for _, b := range latencyBounds {
		bounds = append(bounds, time.Duration(b))
	}
	return bounds
}
