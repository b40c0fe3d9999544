package main

// crdtMistakes are those in the replicated counters.
var crdtMistakes = []mistake{
	{name: "raise an origin for what a cap leaves out", edits: []edit{
		{"crdt/state.go", "	if cost == 0 {\n		return\n	}\n", ""},
	}},
	{name: "merge TATs by maximum: the fuller of two buckets, not their sum", edits: []edit{
		{"crdt/state.go", "	s.net[w] += gain.P - gain.N // modulo 1<<64: the sum is not negative\n", "	s.net[w] = max(s.net[w], c.Net())\n"},
	}},
	{name: "send increments instead of totals", edits: []edit{
		{"crdt/state.go", `		Cur:  Part{Origin: s.origin[cur], Count: s.own[cur]},
		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},
`, `		Cur:  Part{Origin: s.origin[cur], Count: Count{P: s.own[cur].P - s.sent[cur].P}},
		Prev: Part{Origin: s.origin[prev], Count: Count{P: s.own[prev].P - s.sent[prev].P}},
`},
		{"crdt/counter.go", "	joined = Count{P: max(c.P, o.P), N: max(c.N, o.N)}\n", "	joined = Count{P: c.P + o.P, N: c.N + o.N}\n"},
	}},
	{name: "send the current window only", edits: []edit{
		{"crdt/state.go", "		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},\n", "		Prev: Part{Origin: Never},\n"},
	}},
	{name: "drop a window instead of folding it", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: Never, prev: s.origin[cur]}\n"},
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.TAT(f)}\n", "		s.origin = [2]int64{cur: Never, prev: Never}\n"},
	}},
	{name: "fold into the new window instead of the one that stays", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: s.TAT(f), prev: s.origin[cur]}\n"},
	}},
	{name: "take counts without an origin as drained for ever", edits: []edit{
		{"crdt/state.go", "	s.Raise(s.start)\n", ""},
		{"crdt/state.go", "	s.origin[w] = max(s.origin[w], start)\n", ""},
	}},
	{name: "cap the debt", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: Never, prev: min(s.Base(), start)}\n"},
	}},
	{name: "give back more than was taken", edits: []edit{
		{"crdt/state.go", "	cost = min(cost, s.own[w].Net())\n", ""},
	}},
}
