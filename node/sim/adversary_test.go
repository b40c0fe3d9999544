package sim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestAdversariesComeCloseToTheBoundAndNotBeyond(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "adversary\tattacks\truns\tdecisions\tE\tpointwise\tshare\tE\tdocumented\tshare")
	for _, a := range sim.Adversaries() {
		var pointwise, documented attack
		var decisions uint64
		for i, sc := range a.Runs {
			r, err := sim.Run(sc, nil)
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
