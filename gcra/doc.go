// Package gcra decides whether a request conforms to a rate limit. It is pure arithmetic
// on integer nanoseconds: no clock, no lock, no I/O, no goroutine.
//
// # Model
//
// A [Policy] allows Limit units of cost per Window, with up to Burst units at once. GCRA, the
// Generic Cell Rate Algorithm (ITU-T I.371 Annex A, ATM Forum Traffic Management 4.0), keeps
// one number per client, the theoretical arrival time TAT: the instant at which the client's
// bucket is full again. A request of cost c at time t moves it to new = max(t, TAT) + D(c).
// It conforms if and only if new - t <= D(Burst), where D(c) = ceil(c·Window/Limit) is the
// time in which c units drain. GCRA is the token bucket and the leaky bucket (as a meter) in
// one integer.
//
// # Counters instead of a TAT
//
// Two replicas cannot merge their TATs without losing admissions. So the callers of this
// package store no TAT. They store an origin and a count, which both merge, and this package
// computes TAT = Base + D(Count): see [Level]. It drains the sum as a whole, never as a sum of
// rounded emission intervals. Rates far above 1e9 per second work.
//
// If Window/Limit is a whole number of nanoseconds, every decision is the textbook's. If not,
// a request may pass less than 2 ns early, because the TAT and D(Burst) are each rounded by
// less than one. It may have to wait less than 1 ns more for each drained sum in its TAT: one
// for each counting window of the busy period, however many units were admitted.
//
// # Windows
//
// Three more algorithms decide by counts in windows, which the caller keeps. At the change of
// a window, they forget the use that GCRA would drain. In any stretch as long as Window, and
// on one node, a client gets at most
//
//   - [GCRA]: Burst + Limit;
//   - [Fixed], calendar windows: twice Limit; three times if a shorter window lies within
//     (February, a day of 23 hours); Limit in each window;
//   - [Sliding], the estimate from two windows: 2·Limit - 1;
//   - [Segmented], n sub-windows, each counted in full: Limit.
//
// Each of N nodes counts its own admissions. So with the last three, N nodes admit at most N
// times as much, however late they hear of each other. With GCRA the client owes the excess,
// which comes once. docs/algorithms.md has the proofs. [Periods] are the calendar windows.
// Only [NewPeriods] reads something: the system's time zone database.
//
// # Which call
//
// [New] checks a policy and returns a [GCRA]. [GCRA.Admit] answers yes or no; the hot path
// needs nothing else. [GCRA.Explain] turns the same level into the numbers for the client:
// remaining, retry after, reset after. The other algorithms have the same two methods, on
// counts instead of a level.
//
// All types are values or immutable after New, and safe for concurrent use.
package gcra
