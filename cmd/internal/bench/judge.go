package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/oracle"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// judge hears every request in the order in which the answers came. It runs limiters for each
// client beside the nodes. The central one decides the same requests. The yardstick counts what the
// nodes admitted, and shows how far beyond the limit that was: E of docs/error-bound.md. The modest
// one tells who keeps so well to the limit that nobody may deny it. One goroutine calls judge, but
// for happened and hold, which another may call.
type judge struct {
	cfg   *Config
	begun int64 // unix nanoseconds

	mu      sync.Mutex
	all     []Happened
	changes []change      // that no event has passed yet, in the order of their times
	actions []Happened    // that are not in the event log yet
	held    time.Duration // events from then on wait, because an action is under way; 0: none do

	limit    *oracle.Limit // nil: unknown
	modest   *oracle.Limit // of clients that nodes never wrongly deny
	accounts map[int32]*account
	slack    float64       // units that a change of the limit may round up
	slowest  time.Duration // the longest time from request to answer

	latency   *hdrhistogram.Histogram
	first     error
	firstAt   time.Duration
	sent      int64 // warm-up included
	failures  int64
	deniedAll int64
	nodes     []NodeShare
	figures   figures
	bound     float64 // the largest lately; NaN if unknown
	timeline  timeline
	acc       Accuracy
}

// figures count what was due after the warm-up.
type figures struct{ allowed, denied, errors int64 }

// account is what the judge knows of one client.
type account struct {
	central, yardstick oracle.Meter
	modest             oracle.Meter
	name               string
	requests, cost     int64 // requests after the warm-up, and their cost
	admitted, owed     int64 // units that nodes and the central limiter admitted, after the warm-up
	excess             float64
	greedy             bool // it did not keep to the modest limit
}

type change struct {
	at    time.Duration
	limit *oracle.Limit
	text  string
}

// Happened is one action that was carried out, or not.
type Happened struct {
	At    time.Duration `json:"at_ns"`
	Name  string        `json:"name"`
	Error string        `json:"error,omitempty"`
}

// staleness is how late a node may know what another admitted, if both are well: what waits for 200
// ms at most, and its delivery. A higher value blames nodes for fewer denials; a lower one blames
// them for what nobody promised.
const staleness = 250 * time.Millisecond

// changeRounding is what a change of the limit may add to E, because nodes carry whole units over.
const changeRounding = 2

// The range of the measured latencies. A latency above longest counts as longest. A wider
// range costs memory; a narrower one hides how bad a stall was.
const (
	shortest = int64(time.Microsecond)
	longest  = int64(time.Minute)
	digits   = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(shortest, longest, digits) }

func newJudge(cfg *Config, nodes []Node) (*judge, error) {
	j := &judge{cfg: cfg, accounts: map[int32]*account{}, latency: newHistogram(), bound: math.NaN()}
	for i := range nodes {
		j.nodes = append(j.nodes, NodeShare{Name: nodes[i].Name})
	}
	j.timeline = newTimeline(cfg.Duration, len(nodes))
	if cfg.Policy == nil {
		return j, nil
	}
	l, err := oracle.New(*cfg.Policy)
	if err != nil {
		return nil, err
	}
	j.limit, j.modest = l, l.Tightened(staleness)
	j.acc.Limits = []string{cfg.Policy.String()}
	return j, nil
}

// hold makes events from at on wait until release.
func (j *judge) hold(at time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = max(at, 1)
}

// happened notes an action, with the policy that it made the limit's, if any, and lets events pass
// again.
func (j *judge) happened(h Happened, policy *limit.Policy) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = 0
	if policy != nil && j.limit != nil {
		l, err := oracle.New(*policy)
		if err != nil {
			h.Error = cmp.Or(h.Error, err.Error()) // the nodes took it, so this cannot be
		} else {
			j.changes = append(j.changes, change{h.At, l, policy.String()})
		}
	}
	j.all = append(j.all, h)
	if j.cfg.Events != nil {
		j.actions = append(j.actions, h)
	}
}

// failed notes the earliest error.
func (j *judge) failed(err error, at time.Duration) {
	if j.first == nil || at < j.firstAt {
		j.first, j.firstAt = err, at
	}
}

// hear judges the events up to until, and returns the others.
func (j *judge) hear(events []event, until time.Duration, sample *bounds) []event {
	j.mu.Lock()
	if j.held > 0 {
		until = min(until, j.held)
	}
	j.mu.Unlock()
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.answered, b.answered) })
	n, _ := slices.BinarySearchFunc(events, until, func(e event, t time.Duration) int { return cmp.Compare(e.answered, t) })
	before := j.bound
	j.bound = sample.look()
	// The bound falls when messages arrive, perhaps between a decision and this look.
	widest := max(before, j.bound)
	if math.IsNaN(before) {
		widest = j.bound
	}
	if !math.IsNaN(j.bound) {
		j.acc.boundPeak = max(j.acc.boundPeak, j.bound)
	}
	for i := range events[:n] {
		j.judge(&events[i], widest)
	}
	return append(events[:0], events[n:]...)
}

// judge takes in one event. bound is what the nodes said lately; NaN if it is not known.
func (j *judge) judge(e *event, bound float64) {
	j.sent++
	counts := e.due >= j.cfg.Warmup
	latency := min(max(int64(e.answered-e.due), shortest), longest)
	node := &j.nodes[e.node]
	point := j.timeline.at(e.answered)
	point.observe(e, latency)
	point.hasBound(bound)
	switch e.verdict {
	case failed:
		j.failures++
	case denied:
		j.deniedAll++
	}
	if counts {
		_ = j.latency.RecordValue(latency) // within range by the line above
		node.count(e.verdict)
		switch e.verdict {
		case failed:
			j.figures.errors++
		case admitted:
			j.figures.allowed++
		default:
			j.figures.denied++
		}
	}
	if j.cfg.Events != nil {
		j.log(e.answered)
		j.cfg.Events.request(j, e)
	}
	if j.limit == nil || e.verdict == failed {
		return
	}
	j.pass(e.answered)
	j.slowest = max(j.slowest, e.answered-e.asked)
	j.compare(e, counts, bound, point)
}

// log writes the actions up to t into the event log.
func (j *judge) log(t time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.actions) > 0 && j.actions[0].At <= t {
		j.cfg.Events.action(j.begun, j.actions[0])
		j.actions = j.actions[1:]
	}
}

// pass applies the changes of the limit up to t.
func (j *judge) pass(t time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.changes) > 0 && j.changes[0].at <= t {
		c := j.changes[0]
		j.changes = j.changes[1:]
		j.limit, j.modest, j.slack = c.limit, c.limit.Tightened(staleness), changeRounding
		for _, a := range j.accounts {
			rule := c.limit.Find(a.name)
			a.central.Change(c.limit, rule, j.begun+int64(c.at))
			a.yardstick.Change(c.limit, rule, j.begun+int64(c.at))
			a.modest.Change(j.modest, rule, j.begun+int64(c.at))
		}
		j.acc.Limits = append(j.acc.Limits, fmt.Sprintf("from %.1f s: %s", c.at.Seconds(), c.text))
	}
}

// compare holds one decision against the central limiter, and an admission against the bound.
func (j *judge) compare(e *event, counts bool, bound float64, point *point) {
	a := j.accounts[e.client]
	if a == nil {
		name := j.cfg.client(int(e.client))
		rule := j.limit.Find(name)
		a = &account{central: j.limit.NewMeter(rule), yardstick: j.limit.NewMeter(rule), modest: j.modest.NewMeter(rule), name: name, excess: math.Inf(-1)}
		j.accounts[e.client] = a
	}
	asked, now, cost := j.begun+int64(e.asked), j.begun+int64(e.answered), j.cfg.Cost
	// A node decided at some time between request and answer. A denial is wrong only if there was
	// room at the earliest of them already.
	room := a.yardstick.Fits(asked, cost)
	central := a.central.Fits(now, cost)
	if central {
		a.central.Add(now, cost)
		point.Central += cost
	}
	a.greedy = a.greedy || !a.modest.Fits(now, cost)
	a.modest.Add(now, cost)
	if counts {
		a.requests++
		a.cost += cost
		if central {
			a.owed += cost
		}
	}
	if e.verdict == denied {
		if counts && room {
			j.acc.DeniedWithRoom++
			if !a.greedy {
				j.acc.WronglyDenied++
			}
		}
		return
	}
	a.yardstick.Add(now, cost)
	if counts {
		a.admitted += cost
	}
	over := a.yardstick.Over(now)
	a.excess = max(a.excess, over)
	point.excess(over)
	if over > j.acc.Excess {
		j.acc.Excess, j.acc.ExcessClient, j.acc.ExcessAt = over, a.name, e.answered.Seconds()
		j.acc.boundThen = bound
	}
	// Between decision and answer some more drained, so E is uncertain by that much.
	if over > 0 && over > bound+j.slack+j.measuring() {
		j.acc.Beyond++
	}
}

// measuring is the units that drained in the longest time from request to answer.
func (j *judge) measuring() float64 {
	p := j.limit.Policy(0)
	if p.Window == 0 {
		return 0
	}
	return float64(p.Limit) * float64(j.slowest) / float64(p.Window)
}

// live is how the load is doing.
func (j *judge) live(elapsed time.Duration) Live {
	l := Live{Elapsed: elapsed, Sent: j.sent, Denied: j.deniedAll, Failed: j.failures, Excess: -1, Bound: -1, P99: j.timeline.p99()}
	if j.limit != nil {
		l.Excess = j.acc.Excess
	}
	if !math.IsNaN(j.bound) && !math.IsInf(j.bound, 0) {
		l.Bound = j.bound
	}
	return l
}
