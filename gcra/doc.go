// Package gcra decides whether a request conforms to a rate limit. It is pure
// arithmetic on integer nanoseconds: no clock, no lock, no I/O, no goroutine.
//
// # Model
//
// A [Policy] allows Limit units of cost per Window, with up to Burst units at
// once. GCRA, the Generic Cell Rate Algorithm (ITU-T I.371 Annex A, ATM Forum
// Traffic Management 4.0), keeps one number per client, the theoretical arrival
// time TAT: the instant at which the client's bucket is full again. A request of
// cost c at time t moves it to new = max(t, TAT) + D(c) and conforms if and only
// if new - t <= D(Burst), where D(c) = ceil(c·Window/Limit) is the time in which c
// units drain. It is the token bucket and the leaky bucket (as a meter) in one
// integer.
//
// # Counters instead of a TAT
//
// The callers of this package do not store a TAT, because two replicas' TATs
// cannot be merged without losing admissions. They store an origin and a count,
// both of which merge, and TAT = Base + D(Count) is computed from them: see
// [Level]. The sum is drained as a whole, never as a sum of rounded emission
// intervals, and rates far above 1e9 per second work. Where Window/Limit is a whole
// number of nanoseconds every decision is the textbook's. Where it is not, a request
// may pass less than 2 ns early (the TAT and D(Burst) are each rounded by less than
// one) and may have to wait less than 1 ns more for each drained sum that its TAT
// consists of: one for each counting window of the busy period, however many units
// were admitted.
//
// # Windows
//
// Three more algorithms decide by counts in windows, which the caller keeps. They forget
// at the change of a window what GCRA drains. In any stretch as long as Window, and on one
// node, a client gets at most
//
//   - [GCRA]: Burst + Limit;
//   - [Fixed], calendar windows: twice Limit, three times where a shorter window lies within
//     (February, a day of 23 hours); Limit in each window;
//   - [Sliding], the estimate from two windows: 2·Limit - 1;
//   - [Segmented], n sub-windows, each counted in full: Limit.
//
// Each of N nodes counts what it admitted itself, so together they admit at most N times as
// much with the last three, however late they hear of each other; with GCRA the excess is
// owed and comes once. docs/algorithms.md has the proofs. [Periods] are the calendar
// windows; [NewPeriods] alone reads something, the system's time zone database.
//
// # Which call
//
// [New] checks a policy and returns a [GCRA]. [GCRA.Admit] answers yes or no and
// is all that the hot path needs; [GCRA.Explain] turns the same level into the
// numbers that a client is told (remaining, retry after, reset after). The other
// algorithms have the same two methods, on counts instead of a level.
//
// All types are values or immutable after New, and safe for concurrent use.
package gcra
