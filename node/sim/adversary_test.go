package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestAdversariesComeCloseToTheBoundAndNotBeyond(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "adversary\tattacks\truns\tdecisions\tE\tbound\tshare\tE\tdocumented\tshare")
	for _, a := range sim.Adversaries() {
		var best, bestDocumented sim.Result
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
			if r.E > best.E {
				best = r
			}
			if total := r.Documented.Total(); total > 0 && r.E/total > bestDocumented.E/max(bestDocumented.Documented.Total(), 1e-9) {
				bestDocumented = r
			}
		}
		share, documented := best.E/max(best.Bound, 1e-9), bestDocumented.E/max(bestDocumented.Documented.Total(), 1e-9)
		if share < a.Floor {
			t.Errorf("%s: the most is %.3f of the pointwise bound, want at least %.1f", a.Name, share, a.Floor)
		}
		shown := "none"
		if total := bestDocumented.Documented.Total(); total > 0 {
			shown = fmt.Sprintf("%.1f\t%.1f\t%.3f", bestDocumented.E, total, documented)
			if documented < a.Floor {
				t.Errorf("%s: the most is %.3f of the documented bound, want at least %.1f: %+v", a.Name, documented, a.Floor, bestDocumented.Documented)
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\t%.1f\t%.3f\t%s\n", a.Name, a.Attacks, len(a.Runs), decisions, best.E, best.Bound, share, shown)
	}
	_ = w.Flush()
	t.Logf("\n%s", table.String())
}
