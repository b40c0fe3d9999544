package bench

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mostPoints caps the points of a timeline. More points make a longer report; fewer hide short
// stalls.
const mostPoints = 300

// steps are the distances of points that people read well.
var steps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
}

// Point is what happened in one stretch of a load. Warm-up is included.
type Point struct {
	At      float64  `json:"at"` // its begin, seconds after the start
	Allowed int64    `json:"allowed"`
	Denied  int64    `json:"denied"`
	Errors  int64    `json:"errors"`
	Central int64    `json:"central_units"` // that one central limiter would have admitted
	P50     float64  `json:"p50_ms"`
	P99     float64  `json:"p99_ms"`
	Excess  *float64 `json:"excess_units,omitempty"` // the largest of any client; none while all are within the limit
	Bound   *float64 `json:"bound_units,omitempty"`  // the largest that a node stated
	Nodes   []int64  `json:"nodes"`                  // allowed, by node
}

// point is a Point in the making.
type point struct {
	Point
	latency *hdrhistogram.Histogram // shared by all points
}

// timeline makes points. Events come in the order of their times.
type timeline struct {
	step    time.Duration
	nodes   int
	points  []Point
	current *point
	last    float64 // 99th percentile of the last point that is complete, milliseconds
	until   time.Duration
}

func newTimeline(d time.Duration, nodes int) timeline {
	t := timeline{step: steps[len(steps)-1], nodes: nodes}
	for _, step := range steps {
		if d/step <= mostPoints {
			t.step = step
			break
		}
	}
	t.current = &point{latency: newHistogram()}
	t.current.Nodes = make([]int64, nodes)
	t.until = t.step
	return t
}

// at is the point of an event. It ends the points before.
func (t *timeline) at(d time.Duration) *point {
	for d >= t.until {
		t.end()
		t.until += t.step
	}
	return t.current
}

func (t *timeline) end() {
	p := t.current
	if p.latency.TotalCount() > 0 {
		p.P50, p.P99 = ms(p.latency.ValueAtQuantile(50)), ms(p.latency.ValueAtQuantile(99))
		t.last = p.P99
	}
	t.points = append(t.points, p.Point)
	p.latency.Reset()
	p.Point = Point{At: t.until.Seconds(), Nodes: make([]int64, t.nodes)}
}

func (t *timeline) p99() time.Duration { return time.Duration(t.last * float64(time.Millisecond)) }

// all ends the timeline.
func (t *timeline) all() []Point {
	if t.current.latency.TotalCount() > 0 {
		t.end()
	}
	return t.points
}

func (p *point) observe(e *event, latency int64) {
	_ = p.latency.RecordValue(latency) // within range: the judge has seen to it
	switch e.verdict {
	case failed:
		p.Errors++
	case admitted:
		p.Allowed++
		p.Nodes[e.node]++
	default:
		p.Denied++
	}
}

func (p *point) hasBound(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) && (p.Bound == nil || *p.Bound < v) {
		p.Bound = &v
	}
}

func (p *point) excess(v float64) {
	if v = max(v, 0); p.Excess == nil || *p.Excess < v {
		p.Excess = &v
	}
}

func ms(nanoseconds int64) float64 { return float64(nanoseconds) / float64(time.Millisecond) }
