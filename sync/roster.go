package sync

import "slices"

// roster is the names of the other nodes that count as members: whoever was heard,
// until it says bye or an operator strikes it off. Silence takes nobody off: a silent
// node may be on the other side of a partition, admitting.
type roster struct {
	// names is sorted, without duplicates, without our own name (S9). At the cap,
	// MaxPeers, further nodes are no members.
	names []string
	// edits counts the changes of names.
	edits int
}

func (r *roster) add(name string) {
	if i, found := slices.BinarySearch(r.names, name); !found && len(r.names) < MaxPeers {
		r.names = slices.Insert(r.names, i, name)
		r.edits++
	}
}

func (r *roster) has(name string) bool {
	_, found := slices.BinarySearch(r.names, name)
	return found
}

// remove reports whether the name was there.
func (r *roster) remove(name string) bool {
	i, found := slices.BinarySearch(r.names, name)
	if found {
		r.names = slices.Delete(r.names, i, i+1)
		r.edits++
	}
	return found
}

// Forget strikes a node that will not come back off the roster, as its bye would have.
// It reports whether the node was on it.
func (e *Engine) Forget(now int64, name string) bool {
	if !e.members.roster.remove(name) {
		return false
	}
	e.members.strikeOff(now, name)
	return true
}
