package node_test

import (
	"context"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func ExampleOpen() {
	n, err := node.Open(context.Background(), node.Config{
		Limit: 2, Window: time.Hour, // and NATS, to count together with other nodes
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	for range 3 {
		fmt.Println(n.Allow("alice"))
	}
	// Output:
	// true
	// true
	// false
}

func ExampleNode_Take() {
	n, err := node.Open(context.Background(), node.Config{
		Limit: 60, Window: time.Minute, Burst: 10,
		Now: func() time.Time { return time.Unix(1_900_000_000, 0) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	d := n.Take("alice", 8)
	fmt.Println(d.Allowed, d.Remaining, "left, all again in", d.ResetAfter)
	d = n.Take("alice", 5)
	fmt.Println(d.Allowed, d.Reason, "come again in", d.RetryAfter)
	d = n.Take("alice", 11)
	fmt.Println(d.Allowed, d.Reason)
	// Output:
	// true 2 left, all again in 8s
	// false over_limit come again in 3s
	// false cost_too_high
}

// A name that no limit has ends the program at its start, not each request later.
func ExampleNode_MustLimiter() {
	n, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{
		"login":  {Limit: 1, Window: time.Hour},
		"search": {Limit: 100, Window: time.Minute},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	login, search := n.MustLimiter("login"), n.MustLimiter("search")
	fmt.Println(login.Allow("203.0.113.7"), login.Allow("203.0.113.7"), search.Allow("203.0.113.7"))
	// Output: true false true
}
