package sync

import (
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// roster is the names of the other nodes that count as members: whoever was heard,
// until it says bye or an operator strikes it off. Silence takes nobody off: a silent
// node may be on the other side of a partition, admitting.
type roster struct {
	names []string // sorted; at the cap, MaxPeers, further ones are not members
}

func (r *roster) add(name string) {
	if i, found := slices.BinarySearch(r.names, name); !found && len(r.names) < MaxPeers {
		r.names = slices.Insert(r.names, i, name)
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
	}
	return found
}

// Forget takes a node that will not come back off the roster, as its bye would have.
// It reports whether the node was on it.
func (e *Engine) Forget(name string) bool {
	if !e.roster.remove(name) {
		return false
	}
	e.changed()
	return true
}

// group is the part of the cluster that this node can count with: how many nodes
// there are with us, how many of them hear each other with us, and whether that is
// not all of them. Nodes that hear each other only partly cannot share anything out
// among themselves, so then each counts for itself.
func (e *Engine) group(now int64) (members, visible int, isolated bool) {
	members = 1 + len(e.roster.names)
	if !e.connected {
		return members, 1, members > 1 || !e.cfg.Alone
	}
	alive := []crdt.Replica{e.cfg.Replica}
	var heard []string
	for _, p := range e.peers.list {
		if p.state != PeerAlive {
			continue
		}
		alive = append(alive, p.replica)
		heard = append(heard, p.node)
		if !p.hearsUs && now-p.deafAt >= int64(e.cfg.SuspectAfter) {
			isolated = true
		}
	}
	for _, name := range e.roster.names {
		isolated = isolated || !slices.Contains(heard, name)
	}
	if !isolated {
		return members, members, false
	}
	slices.Sort(alive)
	for _, p := range e.peers.list {
		if p.state == PeerAlive && !hearsAll(p, alive) {
			return members, 1, true
		}
	}
	slices.SortFunc(heard, strings.Compare)
	return members, 1 + len(slices.Compact(heard)), true
}

// hearsAll reports whether the peer said that it hears exactly the others of the
// group.
func hearsAll(p *peer, group []crdt.Replica) bool {
	n := 0
	for _, r := range group {
		if r == p.replica {
			continue
		}
		if _, ok := slices.BinarySearch(p.hears, r); !ok {
			return false
		}
		n++
	}
	return n == len(p.hears)
}
