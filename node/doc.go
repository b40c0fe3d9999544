// Package node is a distributed rate limiter: every node decides by itself, in
// memory, and all nodes of a cluster count together.
//
//	n, err := node.Open(ctx, node.Config{
//		Limit: 100, Window: time.Minute,
//		NATS: node.NATS{URL: "nats://127.0.0.1:4222"},
//	})
//	...
//	if !n.Allow("alice") { // 429 }
//
// # Model
//
// A decision reads what this node has admitted and what it has merged from the
// others, and never waits for anybody. Admissions are broadcast as absolute totals
// within milliseconds where they matter, and within 50 ms otherwise, and merge in
// any order. GCRA over the merged totals decides: a client gets Limit units per
// Window in the long run, and at most Burst at once.
//
// # Which call
//
// [Node.Allow] is all that most services need. [Node.Take] tells what is left and
// when to come again; [Node.MustLimiter] picks another named limit; [Node.Do] takes a
// whole [Request] and is what servers build on.
//
// # Guarantee
//
// One node alone is exact. N nodes together admit a client at most
// (N-1)·(Burst + rate·Δ) + rate·σ units beyond what one central limiter would
// have, where Δ is how old what they know of each other is and σ how far their
// clocks differ; the excess is a debt that the client pays back, so the long-run
// rate is exact. [Node.Stats] has that number for this moment. When peers cannot be
// reached, each side goes on deciding from what it knows, and Decision.Degraded is
// set.
//
// # Edges
//
// A denial is a value, never an error, and true always means allowed. An empty
// client id, a cost below 1 and an unknown limit are denied with their [Reason] and
// counted; a cost above the burst is denied with the largest Duration as
// RetryAfter. After Close, decisions go on from the local view. A clock that steps
// back is held, one that jumps ahead (a suspend) is followed.
package node
