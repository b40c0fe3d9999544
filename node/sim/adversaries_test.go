package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// adversary is a hand-made attack on one term of the documented bound: a few
// schedules that differ in their timing, of which the best should come close to it.
// A bound that no schedule comes close to may hide a mistake as large as the rest.
type adversary struct {
	Name    string
	Attacks string // the term
	// Floor is the share of the bound that the best schedule has to reach: of the
	// oracle's pointwise bound, and of the documented one if there is one.
	Floor float64
	Runs  []Scenario
}

// What the adversaries attack.
const (
	attacksConnected = "connected"
	attacksPartition = "partition"
	attacksCrash     = "crash"
	attacksJoin      = "join"
	attacksSkew      = "skew"
	attacksLoss      = "loss"
	attacksChange    = "limit change"
	attacksReset     = "reset"
	attacksRefund    = "refund"
)

const ms = time.Millisecond

// adversaries lists them all. Their scenarios are always the same.
func adversaries() []adversary {
	return append([]adversary{
		allAtOnce(), allAtOnceUrgently(), allAtOnceAtAHighRate(), beforeEachFlush(),
		acrossTheWindowChange(), acrossTheWindowChangeSkewed(), narrowWindows(), staleByAlmostAWindow(),
		partition(), atTheHeal(), longPartition(), partitionShared(),
		crashBeforeTheFlush(), joinEmpty(), lateJoiner(),
		clocksApart(), lastFlushLost(), staleByMoreThanAWindow(), lossy(), pauseInAWindow(),
		limitChange(), lateOldDelta(), resetUnderLoad(), resetAfterChange(), fullTable(),
		windowEdges(), windowPartition(), windowCrash(), windowChanges(), lateRefund(), lateRefundThenBoth(),
	}, eachWindow()...)
}

// perSecond is rate units a second, and a burst.
func perSecond(rate, burst int64) node.Policy {
	return node.Policy{Limit: rate, Window: time.Second, Burst: burst}
}

// hit sends n requests to a node at once, or to each node.
func hit(at time.Duration, nodeNumber, n int) Stream {
	return Stream{Client: victim, Node: nodeNumber, Burst: n, Start: at}
}

// pour sends a request to a node every so often, or to each node.
func pour(from, to time.Duration, nodeNumber int, every time.Duration) Stream {
	return Stream{Client: victim, Node: nodeNumber, Burst: 1, Period: every, Start: from, Stop: to}
}

// sweep makes one scenario for each delay of an attack from 0 on.
func sweep(runs int, step time.Duration, attack func(shift time.Duration) Scenario) []Scenario {
	var out []Scenario
	for i := range runs {
		sc := attack(time.Duration(i) * step)
		sc.Seed = uint64(i) //nolint:gosec // small
		out = append(out, sc)
	}
	return out
}

// windowChange is when the first window ends after the load began.
func windowChange(p node.Policy) time.Duration {
	width := int64(widthOf(p.Window))
	return time.Duration(width - (epoch+int64(warmup))%width)
}

// cluster is n nodes on a network with a constant delay, whose flushes are not
// hastened, so that an attack can rely on how stale they are.
func cluster(n int, p node.Policy, flush, delay, duration time.Duration) Scenario {
	return Scenario{Nodes: n, Policy: p, Flush: flush, FixedFlush: true, Link: Link{DelayMin: delay, DelayMax: delay}, Duration: duration}
}

func TestAdversariesComeCloseToTheBoundAndNotBeyond(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "adversary\tattacks\truns\tdecisions\tE\tpointwise\tshare\tE\tdocumented\tshare")
	for _, a := range adversaries() {
		var pointwise, documented attack
		var decisions uint64
		for i, sc := range a.Runs {
			r, err := Run(sc, nil)
			if err != nil {
				t.Fatalf("%s, run %d: %v", a.Name, i, err)
			}
			for _, v := range r.Violations {
				t.Errorf("%s, run %d: %s", a.Name, i, v)
			}
			decisions += r.Decisions
			pointwise.best(r.E, r.Bound)
			documented.best(r.E, r.Documented.Total())
		}
		for name, best := range map[string]attack{"pointwise": pointwise, "documented": documented} {
			if best.bound > 0 && best.share() < a.Floor || pointwise.bound == 0 {
				t.Errorf("%s: the best run reaches %.3f of the %s bound, want at least %.1f", a.Name, best.share(), name, a.Floor)
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\t%v\n", a.Name, a.Attacks, len(a.Runs), decisions, pointwise, documented)
	}
	_ = w.Flush()
	t.Logf("\n%s", table.String())
}

// attack is what a run came to: an excess, and a bound on it.
type attack struct{ e, bound float64 }

// best keeps the run with the largest excess, and of equal ones the closest.
func (a *attack) best(e, bound float64) {
	if b := (attack{e, bound}); bound > 0 && (e > a.e+1e-6 || math.Abs(e-a.e) <= 1e-6 && b.share() > a.share()) {
		*a = b
	}
}

func (a attack) share() float64 {
	if a.bound == 0 {
		return 0
	}
	return a.e / a.bound
}

func (a attack) String() string {
	if a.bound == 0 {
		return "\tnone\t"
	}
	return fmt.Sprintf("%.1f\t%.1f\t%.3f", a.e, a.bound, a.share())
}
