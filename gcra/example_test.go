package gcra_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// A client is allowed 5 requests per 10 seconds, at most 2 of them at once.
func Example() {
	g, err := gcra.New(gcra.Policy{Limit: 5, Window: 10 * time.Second, Burst: 2})
	if err != nil {
		fmt.Println(err)
		return
	}

	level := gcra.Level{Base: gcra.Never} // a client never seen before
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, 0, 500 * time.Millisecond, 2 * time.Second} {
		now := start.Add(after).UnixNano()
		admitted, origin := g.Admit(level, now, 1)
		if admitted {
			level.Base = max(level.Base, origin)
			level.Count++
		}
		d := g.Explain(level, now, 1, admitted)
		fmt.Printf("after %v: allowed %t, %d left, retry after %v, full after %v\n",
			after, d.Allowed, d.Remaining, d.RetryAfter, d.ResetAfter)
	}
	// Output:
	// after 0s: allowed true, 1 left, retry after 0s, full after 2s
	// after 0s: allowed true, 0 left, retry after 0s, full after 4s
	// after 500ms: allowed false, 0 left, retry after 1.5s, full after 3.5s
	// after 2s: allowed true, 0 left, retry after 0s, full after 4s
}

// The drain time is rounded once, however many units there are.
func ExampleGCRA_Drain() {
	g, err := gcra.New(gcra.Policy{Limit: 3, Window: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Drain(1), g.Drain(2), g.Drain(3_000_000))
	fmt.Println(g.Units(333_333_333), g.Units(333_333_334))
	// Output:
	// 333333334 666666667 1000000000000000
	// 0 1
}

// Every fault is reported, and each can be told by its field.
func ExamplePolicy_Validate() {
	err := gcra.Policy{Limit: 100, Burst: -1}.Validate()
	fmt.Println(err)

	if fault, ok := errors.AsType[*gcra.FieldError](err); ok {
		fmt.Println("first:", fault.Field)
	}
	// Output:
	// window 0s: must be from 1ms to 8784h0m0s, and cannot be left out
	// burst -1: must be from 1 to 9007199254740992, or 0 for the limit
	// first: window
}
