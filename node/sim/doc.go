// Package sim runs whole clusters of rate limiters on virtual time, on one thread: the
// real node, sync and crdt code. A simulated network delays, loses, repeats and reorders
// messages, splits in every way and starves consumers. Clocks differ, drift and step.
// Nodes crash, restart, join and leave.
//
// A run is its [Scenario], and a random one is its seed: the same seed gives the same
// trace, byte for byte.
//
// One oracle judges each run. It knows everything that happened in true time, and keeps an
// account of every client under every limit, whatever the algorithm. It checks
//
//   - the over-admission E against its bound, at every admission;
//   - that no client which keeps to the limit was denied;
//   - that nodes hold the same state after a moment of quiet;
//   - that this state is what was charged and given back, where that can be known to the unit;
//   - that totals never run backwards and nothing outgrows its cap.
//
// docs/error-bound.md derives the bound, and docs/simulator.md describes the checks. A run
// is confined to one goroutine; different runs may go on at the same time.
package sim
