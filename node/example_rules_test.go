package node_test

import (
	"context"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// noon is a fixed time, so that the output of examples does not depend on when they run.
func noon() time.Time { return time.Date(2032, 11, 25, 12, 0, 0, 0, time.UTC) }

// Ten per second and 1,000 per day for each user, and 5,000 per second for the tenant: a
// request passes if all admit it, and one that is denied is charged to none.
func ExampleNode_Do_several() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limits: map[string]node.Policy{
		"user-second":   {Limit: 10, Window: time.Second},
		"user-day":      {Algorithm: node.FixedWindow, Limit: 1000, Window: 24 * time.Hour},
		"tenant-second": {Limit: 5000, Window: time.Second},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	q := node.Request{Client: "alice", Limit: "user-second", Cost: 6, Also: []node.Check{
		{Limit: "user-day"}, {Limit: "tenant-second", Client: "acme"},
	}}
	for range 2 {
		d := n.Do(q)
		fmt.Println(d.Allowed, d.Limit, d.Remaining)
	}
	fmt.Println(n.MustLimiter("user-day").Peek("alice", 1).Remaining, "left of the day")
	// Output:
	// true user-second 4
	// false user-second 4
	// 994 left of the day
}

// As much as fits, at least one.
func ExampleNode_Do_atMost() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limit: 10, Window: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	for range 3 {
		d := n.Do(node.Request{Client: "alice", Cost: 8, AtMost: true})
		fmt.Println(d.Allowed, d.Cost)
	}
	// Output:
	// true 8
	// true 2
	// false 0
}

// Overrides hold for some clients: by id, by the beginning of the id, by network.
func ExamplePolicy_overrides() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limits: map[string]node.Policy{"default": {
		Limit: 100, Window: time.Minute,
		Overrides: []node.Override{
			{Clients: []string{"acme"}, Limit: 10_000},
			{Prefixes: []string{"internal:"}, Access: node.Unlimited},
			{CIDRs: []string{"192.0.2.0/24"}, Access: node.Blocked},
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	for _, client := range []string{"bob", "acme", "internal:cron", "192.0.2.7"} {
		d := n.Take(client, 1)
		fmt.Println(client, d.Allowed, d.Reason, d.Quota)
	}
	// Output:
	// bob true ok 100
	// acme true ok 10000
	// internal:cron true unlimited 0
	// 192.0.2.7 false blocked 0
}

// A gateway that knows each customer's plan sends the limit along.
func ExampleNode_Do_policy() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limit: 1, Window: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	d := n.Do(node.Request{Client: "alice", Limit: "plan", Policy: &node.Policy{Limit: 50, Window: time.Second}})
	fmt.Println(d.Allowed, d.Limit, d.Quota, d.Remaining)
	// Output:
	// true plan 50 49
}

// A gateway for language models takes an estimate of the tokens, and settles for what the
// answer came to. Any node of the cluster takes the token.
func ExampleNode_Commit() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limit: 10_000, Window: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	r := n.Reserve(node.Request{Client: "alice", Cost: 4000})
	fmt.Println(r.Allowed, r.Remaining)
	token, err := r.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := n.Commit(context.Background(), token, 1200)
	fmt.Println(back, err)
	back, err = n.Cancel(context.Background(), token) // the first answer again
	fmt.Println(back, err, n.Limiter("").Peek("alice", 1).Remaining)
	// Output:
	// true 6000
	// 2800 <nil>
	// 2800 <nil> 8800
}

// A shadow decides and counts, and denies nobody.
func ExamplePolicy_shadow() {
	n, err := node.Open(context.Background(), node.Config{Now: noon, Limits: map[string]node.Policy{
		"default": {Limit: 2, Window: time.Minute, Shadow: true},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	for range 5 {
		n.Allow("alice")
	}
	s := n.Stats().Limits[0]
	fmt.Printf("would have denied %d of %d\n", s.Shadowed, s.Allowed)
	// Output:
	// would have denied 3 of 5
}

func ExampleNode_Wait() {
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(n.Wait(ctx, "alice"))
	err = n.Wait(ctx, "alice") // an hour is longer than the context allows: said at once
	fmt.Println(err != nil, ctx.Err())
	// Output:
	// <nil>
	// true <nil>
}
