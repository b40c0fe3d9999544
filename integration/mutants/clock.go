package main

// clockMistakes are in how a node tells the time.
var clockMistakes = []mistake{
	{name: "tell the time by a look that is over", edits: []edit{
		{"node/internal/clock/counter.go", "	if d >= l.good.Load() {\n", "	if d >= l.good.Load()<<8 {\n"},
	}},
	{name: "let the counter's time go as fast as the clock's", edits: []edit{
		{"node/internal/clock/counter.go", "n.measured * (1 - drift) * (1", "n.measured * (1"},
	}},
	{name: "trust a counter that told its rate once", edits: []edit{
		{"node/internal/clock/counter.go", "	if math.Abs(n.measured-last) > drift*n.measured || n", "	if n"},
	}},
	{name: "never compare the counter with the clock between measurements", edits: []edit{
		{"node/internal/clock/counter.go", "	if math.Abs(told-passed) > drift*passed+2*exact {\n", "	if told-passed > 1e18 {\n"},
	}},
	{name: "go by a look that was interrupted halfway", edits: []edit{
		{"node/internal/clock/counter.go", "max(n.measured, fastest) > exact\n", "max(n.measured, fastest) > 1e18\n"},
	}},
	{name: "go by the clock itself while somebody looks", edits: []edit{
		{"node/internal/clock/counter.go", "	return max(at-int64(behind), min(at, least))\n", "	return at - int64(behind)\n"},
	}},
	{name: "go by a look from before the clock was set ahead", edits: []edit{
		{"node/internal/clock/clock.go", "		c.counter.release(-ahead > jump)\n", "		c.counter.release(false)\n"},
	}},
	{name: "measure the counter twice in a row", edits: []edit{
		{"node/internal/clock/counter.go", "	} else if since < int64(soon) {\n", "	} else if since < 0 {\n"},
	}},
	{name: "look at a counter that stands still when it says so", edits: []edit{
		{"node/internal/clock/counter.go", "	if l != nil && !anyway { //", "	if l != nil { //"},
	}},
	{name: "give a counter up for one look that was interrupted", edits: []edit{
		{"node/internal/clock/counter.go", " && n.late < tries {\n", " && n.late < 0 {\n"},
	}},
	{name: "tell the time by the counter while the clock is slowed down", edits: []edit{
		{"node/internal/clock/counter.go", "	if !n.trusted || !steady {\n", "	if !n.trusted {\n"},
	}},
	{name: "read by the new base during a change of the clock's speed", edits: []edit{
		{"node/internal/clock/clock.go", "	if d < 0 && b.before != nil {\n", "	if false {\n"},
	}},
	{name: "follow a wall clock beyond the latest instant", edits: []edit{
		{"node/internal/clock/clock.go", "	case wall > Latest:", "	case false:"},
	}},
	{name: "forget what a look told when it is given up", edits: []edit{
		{"node/internal/clock/counter.go", "n.told.Store(max(least, end))", "n.told.Store(min(least, end))"},
	}},
	{name: "begin a look before the time that the last one told", edits: []edit{
		{"node/internal/clock/counter.go", "		at = max(at, least)\n", ""},
	}},
	{name: "let what was told be ahead of the clock", edits: []edit{
		{"node/internal/clock/counter.go", "min(at, n.told.Load())", "n.told.Load()"},
	}},
}
