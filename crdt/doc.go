// Package crdt is the replicated state of a rate limiter's clients: grow-only PN-counters
// and a max-register per time window, which merge. It is pure: no clock, no lock, no I/O, no
// goroutine. It knows no policy.
//
// # State
//
// A [State] is one replica's copy of one client's use under one limit. It has two live
// windows, the current and the previous one. Windows are aligned intervals of unix time. Their
// start names them, so they have the same name on every replica. Each window holds
//
//	O        the origin, a max-register of unix nanoseconds: the start of the busy
//	         period, or the end of the history before the window
//	P_j, N_j for each replica j that touched the client in this window, the cost
//	         that it admitted and the cost that it gave back: both only grow,
//	         and N_j <= P_j
//
// Two numbers follow from it, and any replica can compute them:
//
//	C    = max(0, sum of (P_j - N_j))
//	TAT  = max(O_cur, O_prev + D(C_prev)) + D(C_cur)
//
// D, the [Frame]'s Drain, is the time in which a cost drains. A missing O is minus infinity.
// A window with an admission has an O of at least its start.
//
// # Merge
//
// Replicas exchange [Delta] values: absolute totals of one replica, with the origins that it
// knows. Merging takes the maximum of each O, P_j and N_j, so it is commutative, associative,
// idempotent and monotone. Deltas may get lost, come twice, and overtake each other. Replicas
// that have merged the same deltas, each while its windows were live, hold the same state.
//
// # Windows end
//
// [State.Roll] folds the oldest window into the previous one. It raises the previous window's
// origin to the oldest one's TAT. That loses nothing that matters, so the counters' history can
// go. The reason is GCRA's max-plus form: TAT is the maximum over s of s + D(admitted since s),
// and O keeps the running maximum.
//
// Nothing here is safe for concurrent use; the owner of a State locks it.
package crdt
