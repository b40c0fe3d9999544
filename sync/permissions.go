package sync

// Permissions are subjects on a NATS server, with the wildcards of NATS.
type Permissions struct {
	Publish   []string `json:"publish"`
	Subscribe []string `json:"subscribe"`
}

// PermissionsOf is all that a node of that name needs on a NATS server: to speak as itself, and
// to hear what all say and what is addressed to it. They hold for all its incarnations.
func PermissionsOf(prefix, cluster, node string) Permissions {
	s := newSubjects(prefix, cluster)
	return Permissions{
		Publish:   []string{s.base + "*." + node + ".>"},
		Subscribe: []string{s.broadcasts(), s.base + "*.*.*." + node + ".>"},
	}
}
