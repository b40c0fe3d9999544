// Package lending is a node's part in bounded limits: what it decides by its own accounts, and
// what it lends to others and borrows of them. The arithmetic of an account is in package rights,
// and the accounts are in package table. Package sync carries questions and loans.
//
// A decision comes here with its shard locked: [Holdings.Weigh] says what the client's account
// covers, [Holdings.Use] takes it, and [Holdings.Tell] corrects what the client is told.
// [Lender] is the other side: it answers the questions of other nodes, and asks its own.
package lending
