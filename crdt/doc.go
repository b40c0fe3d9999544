// Package crdt is the replicated state of a rate limiter's clients: grow-only
// PN-counters and a max-register per time window, which merge. It is pure: no
// clock, no lock, no I/O, no goroutine, and it knows no policy.
//
// # State
//
// A [State] is one replica's copy of what one client used under one limit, in two
// live windows, the current and the previous one. Windows are aligned intervals of
// unix time, named by their start, the same on every replica. Each window holds
//
//	O        the origin, a max-register of unix nanoseconds: where the busy
//	         period starts, or where the history before the window ended
//	P_j, N_j for each replica j that touched the client in this window, the cost
//	         that it admitted and the cost that it gave back: both only grow,
//	         and N_j <= P_j
//
// and decides by two numbers that any replica can compute from it:
//
//	C    = max(0, sum of (P_j - N_j))
//	TAT  = max(O_cur, O_prev + D(C_prev)) + D(C_cur)
//
// where D, the [Frame]'s Drain, is the time in which a cost drains. An absent O is
// minus infinity, except that a window in which something was admitted has an O of
// at least its start.
//
// # Merge
//
// Replicas exchange [Delta] values: absolute totals of one replica, with the
// origins that it knows. Merging takes the maximum of each O, P_j and N_j, so it is
// commutative, associative, idempotent and monotone: deltas may be lost, repeated
// and reordered, and replicas that have merged the same ones, each while its
// windows were live, hold the same state.
//
// # Windows end
//
// [State.Roll] folds the oldest window into the previous one by raising the
// latter's origin to the former's TAT. Nothing that matters is lost, which is what
// lets the counters' history be dropped (the max-plus form of GCRA: TAT is the
// maximum over s of s + D(admitted since s), and O keeps the running maximum).
//
// Nothing here is safe for concurrent use; the owner of a State locks it.
package crdt
