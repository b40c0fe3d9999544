// Package rights is the arithmetic behind a bounded limit: what one node may admit to one
// client whatever it hears, and what nodes lend each other of it.
//
// A bounded limit of burst B, rate r and excess X divides a client's bucket among the members
// of a [Roster]. Each member has an [Account]: room for B/m, which refills at r/m, and a credit
// of X/m. A node admits what its own account covers, and never asks the network for that.
// Accounts lend each other tokens and the room for them, for a time ([Terms].Loan). Then both
// are where they were. A loan that is lost only denies.
//
// Let o be an account's own tokens, x its credit, b its room, λ what it lent, and G the part of
// λ that is in a borrower's hands or may still get there. These hold between any two calls:
//
//	-x <= o <= b - λ   and   G <= λ     so   sum of (o + x + G) <= B + X
//
// Admitting c lowers that sum by c, lending leaves it, and only refilling raises it, by r·t in a
// time t. So all nodes together admit at most B + X + r·t in any stretch t. docs/bounded.md has
// the proof and what it assumes.
//
// Amounts are nanoseconds of drain of the whole limit, as in package gcra. All divisions round
// against the client, by a nanosecond at most. Time is a parameter: see [Time]. Nothing here
// locks, and nothing allocates.
package rights
