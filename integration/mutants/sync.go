package main

// syncMistakes are those in moving state between nodes.
var syncMistakes = []mistake{
	{name: "let the share of a partition grow by the others' silence", edits: []edit{
		{"sync/roster.go", "	members = 1 + len(e.roster.names)\n", `	members = 1
	for _, p := range e.peers.list {
		if p.state != PeerGone {
			members++
		}
	}
`},
	}},
	{name: "never ask for what was lost", edits: []edit{
		{"sync/repair.go", "		case p.gap:\n", "		case false:\n"},
		{"sync/repair.go", "		case p.differs && now >= p.lookAt:\n", "		case false:\n"},
	}},
	{name: "claim to be fresh while a message is missing", edits: []edit{
		{"sync/peer.go", "func (p *peer) behind() bool { return p.gap || p.differs || p.unproven }\n", "func (p *peer) behind() bool { return false }\n"},
	}},
}
