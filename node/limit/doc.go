// Package limit says what a limit is, and decides by it: policies, the rules that they
// compile to, and the match of a client to a rule.
//
// A [Policy] is what people write. [Compile] judges it and makes one [Rule] for the limit
// itself and one for each [Override]. A [Match] finds a client's rule. The rule then
// decides on that client's [States], which count what the client used; a rule holds no
// client's state itself.
//
// The calls for one decision, in their order:
//
//	index, group, _ := compiled.Match.Find(client, &buffer) // once, if Match is not nil
//	rule := &compiled.Rules[index]
//	rule.Roll(states, now)                               // into the window of now
//	admitted, origin := rule.Admits(states, now, cost)   // changes nothing
//	state := rule.Current(states, now)                   // then charge: Raise(origin), Admit(cost)
//
// After the policy changed, [Rule.Carry] brings a client's states under the new rule, so
// that what the client used stays used.
//
// Time is a parameter everywhere, in nanoseconds since 1970. Nothing here reads a clock,
// takes a lock, starts a goroutine, logs or does I/O. Policies, rules and matches are
// immutable once made, so many goroutines may use them. States are the caller's to lock.
// Deciding allocates nothing.
//
// Embedders find these types in package node as well, under the same names.
package limit
