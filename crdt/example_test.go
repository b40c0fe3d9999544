package crdt_test

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// 10 units of cost drain per second, counted in windows of 15 seconds.
var tenPerSecond = crdt.Frame{
	Width: int64(15 * time.Second),
	Drain: func(cost uint64) int64 { return int64(min(cost, 1<<30)) * int64(time.Second/10) },
}

// Two replicas admit cost for the same client, tell each other in any order and as
// often as they like, and agree on what was used.
func ExampleState_Merge() {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := &tenPerSecond
	a, b := crdt.New(start.UnixNano()), crdt.New(start.UnixNano())
	a.Admit(30)
	b.Admit(20)

	fromA, fromB := a.Own(), b.Own()
	a.Merge(f, 2, b.Start(), fromB)
	b.Merge(f, 1, a.Start(), fromA)
	b.Merge(f, 1, a.Start(), fromA) // a repetition adds nothing

	for _, s := range []*crdt.State{&a, &b} {
		fmt.Println(s.Count(), "units, drained after", time.Duration(s.TAT(f)-start.UnixNano()))
	}
	// Output:
	// 50 units, drained after 5s
	// 50 units, drained after 5s
}

// The oldest window's counters go, what they amounted to stays.
func ExampleState_Roll() {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := &tenPerSecond
	s := crdt.New(start.UnixNano())
	s.Admit(600) // a minute's worth
	for range 3 {
		fmt.Printf("%d current, %d previous, drained at %v\n",
			s.Count(), s.CountPrevious(), time.Unix(0, s.TAT(f)).UTC().Format(time.TimeOnly))
		s.Roll(f, s.Start()+f.Width)
	}
	// Output:
	// 600 current, 0 previous, drained at 12:01:00
	// 0 current, 600 previous, drained at 12:01:00
	// 0 current, 0 previous, drained at 12:01:00
}

// Two nodes compare what they know of one replica by one number.
func ExampleDigest() {
	client := crdt.Key{Hi: 0x0123456789abcdef, Lo: 0xfedcba9876543210}
	var here, there crdt.Digest
	here.Grow(client, crdt.Life{}, 0, crdt.Count{P: 2})
	here.Grow(client, crdt.Life{}, 0, crdt.Count{P: 3})
	there.Grow(client, crdt.Life{}, 0, crdt.Count{P: 5})
	fmt.Println(here == there)
	there.Grow(client, crdt.Life{}, 0, crdt.Count{N: 1})
	fmt.Println(here == there)
	// Output:
	// true
	// false
}
