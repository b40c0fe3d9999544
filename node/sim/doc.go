// Package sim runs whole clusters of rate limiters on virtual time, on one thread:
// the real node, sync and crdt code, on a simulated network that delays, loses,
// repeats and reorders messages, splits in every way and starves consumers, with
// clocks that differ, drift and step, and nodes that crash, restart, join and leave.
//
// A run is its [Scenario], and a random one is its seed: the same seed gives the
// same trace, byte for byte. Each run is judged by oracles that know everything
// that happened in true time: the over-admission E against the documented bound,
// pointwise at every admission; that no conforming client was denied; that replicas
// hold the same state after a moment of quiet; that totals never run backwards and
// nothing outgrows its cap. Where clients are counted by windows, there is another
// oracle for E, and what nodes hold in the end is compared with what was taken and given
// back. See docs/error-bound.md for what is checked, and why
// that bound.
package sim
