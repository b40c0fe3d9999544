package limit

// Roster says who shares bounded limits, for all that a node knows.
type Roster struct {
	// Members are the nodes that do, and StruckOff those that did before.
	Members, StruckOff []string
	// Open says that this node uses its shares. If it does not, WaitsFor are the members that do not
	// have the same roster in force yet. A member that is dead holds up others for ever: strike it off.
	Open     bool
	WaitsFor []string
}
