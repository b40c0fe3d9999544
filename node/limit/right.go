package limit

// Right is what a node may admit to a client of a bounded limit by itself, in units.
type Right struct {
	// Own are the node's own tokens, below 0 while it is on credit, and Borrowed those of others.
	Own, Borrowed float64
	// Room is the most that it can own, and Credit how far Own may be below 0. Both are 0 on a
	// node that has none of the client's shares.
	Room, Credit float64
	// Lent is what it lent, for all that it knows.
	Lent float64
}
