package sim

import "testing"

func TestEveryShortScheduleKeepsThePromises(t *testing.T) {
	const depth = 3 // make explore goes deeper
	states := uint64(0)
	for i, x := range Explorations(depth) {
		if i%2 == 1 {
			continue // what is left has every algorithm, burst and number of nodes
		}
		got := x.Run(t.Context(), 2, nil)
		for _, f := range got.Found {
			t.Errorf("%d nodes, %+v: %s: %v", x.Nodes, x.Policy, f.Schedule, f.Violations)
		}
		states += got.States
	}
	t.Logf("%d states", states)
	if states < 3000 {
		t.Error("so few states prove little")
	}
}
