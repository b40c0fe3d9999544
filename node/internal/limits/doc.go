// Package limits holds the limits of one node over time: which there are, their revisions,
// and the replicated register by which all nodes of a cluster come to the same ones.
//
// A [Limit] is a name with a chain of revisions. A [Revision] is what the limit says from
// one instant on: a policy, compiled to rules. Every node puts a revision into force at the
// revision's stamp, so all change at one instant; states that clients have under an earlier
// revision are carried over to the next by [limit.Rule.Carry].
//
// A [Registry] has all limits of a node. Each limit has two layers: what nodes are
// configured with, and what somebody set since on any node, which shadows the first
// (docs/adr/0005). Changes travel as entries of a register that merges by stamp. Beside
// them it has inline limits: those whose policy comes with a request and is their name.
//
// Time is a parameter, in nanoseconds since 1970. The package does no I/O, logs nothing and
// starts no goroutine: it tells an [Observer] what its owner may want to log or count.
//
// Concurrency: every method of a Registry is safe for concurrent use. Finding a limit, its
// revision and a client's rule is wait-free; changes copy the map of limits under the
// registry's own lock, which is never held while an Observer is called.
package limits
