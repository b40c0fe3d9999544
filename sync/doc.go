// Package sync carries a rate limiter's replicated state between nodes: which messages
// there are, when each is sent, and what a node does with one. It decides nothing.
//
// # Step function and rim
//
// [Engine] is the protocol as a step function: (now, input) -> output. It starts no
// goroutine, reads no clock and does no I/O. So a simulator runs the very same code on one
// thread, and equal seeds give equal traces. [Loop] is its rim in a real node: a timer and
// a [Transport], which is NATS or in memory.
//
// # Protocol
//
//   - A delta carries absolute totals of what its sender admitted, for clients that
//     changed: at once when a client's unsent cost reaches its quantum, else at the flush
//     interval. Lost, repeated and overtaken deltas do no harm.
//   - A beat, every second, carries the number of the last delta, digests of all that
//     deltas carried, and the peers that the sender hears.
//   - A gap in the numbers, or a digest that differs, makes the receiver ask the sender
//     for the rows that it is missing. No log is kept for that.
//   - A node that starts pulls a snapshot from one peer, in pages, before it is ready.
//   - The limits register, in which the last writer of each name wins, spreads the same
//     way.
//
// docs/sync.md describes every message, and numbers the invariants to which comments
// refer (S1, S2, ...) and what the protocol never does (N1, N2, ...).
//
// # Where things are
//
//	engine, loop, config, store                         the step, its rim in a real node, what both need
//	receive, outbound, event, status, stats             what comes in, what goes out, what others may know
//	delta, beat, request, answer                        one message each, with what a receiver does
//	members, peer, group, roster, hearing               who is there, who hears whom, whom a beat names
//	lag, bearing, offsets                               how late, and how far clocks are apart
//	received, digest, origins, repair, backoff          finding and mending losses, and how often to try
//	known, spans, unknown, inherit, founding            what may be missing here, and of whom
//	register, settle, lend, roll                        limits, reservations, loans
//	join, saved                                         the start of a node, with a snapshot or a file
//	message, wire, fields, field, columns               what a message says, field by field
//	nodekeys                                            who signed a message
//	codec, reader, subject, tag, keyhash, incarnation   what is on the wire, and under which keys
//	fresh, arrivals, latest, bucket                     telling recordings, and what one peer may cost
//	outbox, transport, nats, natsdial, dialer           what waits for the network, and what carries it
//	memory, permissions                                 a network in memory; what a node needs on a server
//
// # Bounds
//
// A message is at most 48 KiB; peers, groups, rows and queues are capped. Decoding
// allocates at most four times a message's length plus 4 KiB. What does not decode is
// dropped, counted by reason and logged at most once a second.
//
// The package is called sync because it is about synchronisation. Import it as deltasync,
// to keep it apart from the standard library's.
package sync
