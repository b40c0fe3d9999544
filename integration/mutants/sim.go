package main

// simMistakes are those in the simulator itself: its world and its oracle.
var simMistakes = []mistake{
	{name: "leave skew out of the bound", edits: []edit{
		{"node/sim/judge.go", "+o.knows.untoldOwn(a, now.by)) + rate*float64(o.clocks.sigma()),", "+o.knows.untoldOwn(a, now.by)),"},
	}},
	{name: "use a replica's id again after a restart", edits: []edit{
		{"node/sim/world.go", "	limits := map[string]node.Policy{", "	if again != nil {\n		m.replica = again.replica\n	}\n	limits := map[string]node.Policy{"},
	}},
}
