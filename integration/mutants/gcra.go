package main

// gcraMistakes are those in the arithmetic of one client.
var gcraMistakes = []mistake{
	{name: "add rounded times", edits: []edit{
		{"gcra/gcra.go", "	next := l.Base + g.rate.drain(l.Count+uint64(cost))\n", "	next := l.Base + drained + g.rate.drain(uint64(cost))\n"},
	}},
	{name: "count n parts of a window in n parts, not n+1", edits: []edit{
		{"gcra/segmented.go", "	return counts[:min(len(counts), s.n+1)]\n", "	return counts[:min(len(counts), s.n)]\n"},
	}},
}
