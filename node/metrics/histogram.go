package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// bothHistograms is a histogram with classic and native buckets: a server takes the native ones if
// it is told to scrape them, and every other one the classic ones.
type bothHistograms struct {
	prometheus.Metric // the native one
	classic           []*dto.Bucket
}

// Write implements prometheus.Metric.
func (h *bothHistograms) Write(out *dto.Metric) error {
	if err := h.Metric.Write(out); err != nil {
		return err
	}
	out.Histogram.Bucket = h.classic
	return nil
}

// duration sends the sampled decision times. Their count is that of the samples, not of all
// decisions.
func duration(ch chan<- prometheus.Metric, s *node.Stats) {
	h := &bothHistograms{}
	count := uint64(0)
	for i, n := range s.LatencyCounts {
		count += n
		if i < len(s.LatencyBounds) {
			below, bound := count, s.LatencyBounds[i].Seconds()
			h.classic = append(h.classic, &dto.Bucket{CumulativeCount: &below, UpperBound: &bound})
		}
	}
	native, total := map[int]int64{}, uint64(0)
	for i, n := range s.LatencyFine {
		if total += n; n > 0 {
			native[node.LatencyFineFirst+i] = int64(n) //nolint:gosec // a count of samples
		}
	}
	// Its own total: a sample may arrive between the two readings, and a native histogram must add up.
	h.Metric = prometheus.MustNewConstNativeHistogram(decisionDuration.desc, total, s.LatencySum.Seconds(), native, nil, 0, node.LatencyFineSchema, 0, time.Time{})
	ch <- h
}
