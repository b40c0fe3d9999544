package sim

import (
	"strings"
	"testing"
)

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

func TestAScheduleCanBePlayedAgain(t *testing.T) {
	x := Explorations(1)[2]
	for schedule, want := range map[string]string{
		"a1 s1 a2 l12 p a2 r":               "",
		"x1 a1 a2 c1 j1 a1 x p b2 r j2":     "",
		"a1 f1 k2 z1 s1 d12 a2 p a1 s2 d21": "",
		"a1 q1":                             `sim: no step is called "q1"`,
	} {
		broken, err := x.Replay(schedule)
		if len(broken) > 0 {
			t.Errorf("%s: %v", schedule, broken)
		}
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%s: %v, want %s", schedule, err, want)
			}
		} else if want != "" {
			t.Errorf("%s: no error, want %s", schedule, want)
		}
	}
}

// A digest that leaves something out hides states; one that names nodes or instants counts
// the same state again and again.
func TestStatesAreTheSameUpToTheirNodes(t *testing.T) {
	x := Explorations(1)[1]
	state := func(schedule string) digest {
		e, err := newExplorer(&x)
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsSeq(schedule) {
			s, err := parseStep(word)
			if err != nil {
				t.Fatal(err)
			}
			e.play(s)
		}
		return e.digest()
	}
	for _, same := range [][2]string{{"a1", "a2"}, {"a1 s1", "a2 s2"}, {"a1 a2", "a2 a1"}, {"a1 s1 l12", "a2 s2 l21"}, {"c1", "c2"}} {
		if state(same[0]) != state(same[1]) {
			t.Errorf("%q and %q have different digests", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"", "a1"}, {"a1", "a1 s1"}, {"a1 s1 l12", "a1 s1 d12"}, {"c1", "b1"}, {"a1 a1", "a1 a2"}, {"x1", ""}, {"z1", ""}, {"k1", ""}, {"a1 f1", "a1"}} {
		if state(other[0]) == state(other[1]) {
			t.Errorf("%q and %q have one digest", other[0], other[1])
		}
	}
}

func TestEveryShortScheduleKeepsTheCap(t *testing.T) {
	const depth = 3 // ratelimitctl sim -explore N -bounded goes deeper
	states := uint64(0)
	for i, x := range BoundedExplorations(depth) {
		if i == 2 {
			continue // three nodes, without an excess: it takes long, and the others have all of that
		}
		if x.Nodes == 3 {
			x.Depth--
		}
		got := x.Run(t.Context(), 2, nil)
		for _, f := range got.Found {
			t.Errorf("%d nodes, %+v: %s: %v", x.Nodes, x.Policy, f.Schedule, f.Violations)
		}
		states += got.States
	}
	t.Logf("%d states", states)
	if states < 1000 {
		t.Error("so few states prove little")
	}
}
