// Package node is a distributed rate limiter. Every node decides by itself, in memory, and
// all nodes of a cluster count together.
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
// A decision reads what this node has admitted, and what it has merged from the others. It
// never waits for anybody. Nodes broadcast their admissions as absolute totals: within
// milliseconds for a hot client, within 50 ms otherwise. They merge them in any order. GCRA
// decides over the merged totals: a client gets Limit units per Window in the long run, and
// at most Burst at once.
//
// # Which call
//
// Most services need only [Node.Allow]. [Node.Take] also returns what is left, and how long
// to wait. [Node.MustLimiter] picks another named limit. [Node.Do] takes a whole [Request];
// servers build on it.
//
// # Guarantee
//
// One node alone is exact. N nodes together never admit more to a client, beyond what one
// central limiter would have admitted, than
//
//	(N-1)·(Burst + rate·Δ) + rate·σ
//
// units. Δ is the age of what the nodes know of each other, and σ is how far their clocks
// differ. The excess is a debt that the client pays back, so the long-run rate is exact.
// [Node.Stats] has the bound of this moment. If a node cannot reach its peers, it goes on
// deciding from what it knows, and sets Decision.Degraded.
//
// # Edges
//
// A denial is a value, never an error, and true always means allowed. The node denies an
// empty client id, a cost below 1 and an unknown limit, each with its [Reason], and counts
// them. It denies a cost above the burst with the largest Duration as RetryAfter. After
// Close, decisions go on from the local view. If the clock steps back, the node's time stands
// still; if the clock jumps ahead (a suspend), the node follows.
package node
