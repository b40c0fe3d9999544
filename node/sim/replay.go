package sim

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Arrival is one recorded request, of one unit.
type Arrival struct {
	At     int64 // unix nanoseconds; never before the arrival that came before
	Client string
	Node   int // from 1 to Scenario.Nodes
}

// Replay plays recorded requests on a scenario's cluster and network, and judges that.
// The scenario must have neither streams nor faults; its Duration does not count, since
// the last arrival ends the run. The error is about the scenario, or says that there were
// no arrivals. What the run did wrong is in Result.Violations.
func Replay(sc Scenario, arrivals iter.Seq[Arrival]) (Result, error) {
	return replay(sc, arrivals, (*world).skipIdle, nil)
}

// replay is Replay; skip may jump ahead before an arrival.
func replay(sc Scenario, arrivals iter.Seq[Arrival], skip func(w *world, to int64), trace io.Writer) (Result, error) {
	sc.Duration = time.Second
	if err := sc.Validate(); err != nil {
		return Result{}, fmt.Errorf("sim: %w", err)
	}
	if len(sc.Streams)+len(sc.Faults) > 0 {
		return Result{}, errors.New("sim: a replay has neither streams nor faults")
	}
	var w *world
	for a := range arrivals {
		if w == nil {
			var err error
			// The nodes start early enough to have joined by the first arrival.
			if w, err = newWorld(sc, a.At-int64(warmup+sc.Link.DelayMax), trace); err != nil {
				return Result{}, err
			}
			w.oracle.documented = false // it would keep every request, to state a bound nobody reads
			w.start = a.At
			w.runUntil(w.start)
			w.loading = true
		}
		skip(w, a.At)
		w.runUntil(a.At)
		w.request(w.node(a.Node), &Stream{Client: a.Client}, 1)
	}
	if w == nil {
		return Result{}, errors.New("sim: there are no arrivals to replay")
	}
	w.loading = false
	w.calm()
	w.finish()
	return w.result, nil
}

// skipIdle jumps over a long stretch without requests that ends at t. It does so once
// everything is delivered, and long enough before t for the nodes to hear each other
// again: to them it is as if all had been deaf meanwhile.
func (w *world) skipIdle(t int64) {
	settled := int64(warmup + w.sc.Link.DelayMax)
	from, to := w.now+settled, t-settled
	if to-from < 2*int64(warmup) {
		return
	}
	w.runUntil(from)
	var delayed []func()
	for len(w.events) > 0 && w.events[0].at < to {
		delayed = append(delayed, w.events.pop().run)
	}
	w.now = to
	for _, run := range delayed {
		w.at(to, run)
	}
}
