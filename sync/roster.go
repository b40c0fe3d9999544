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
	// before is the names, sorted as well, that are only known from an earlier run of this
	// node: they were not heard since.
	before []string
	// needless: nothing speaks for those in before, since needlessAt by our clock. See
	// members.outdate.
	needless   bool
	needlessAt int64
}

// lost stands for the members of an earlier run that cannot be told. It is no node's name.
const lost = "?"

// restore takes the members of an earlier run.
func (r *roster) restore(cfg *Config) {
	if cfg.Alone {
		return
	}
	for _, name := range cfg.Members {
		if ValidName(name) && name != cfg.Node {
			r.add(name)
		}
	}
	if cfg.Lost {
		r.add(lost)
	}
	r.before = slices.Clone(r.names)
}

func (r *roster) add(name string) {
	if i, found := slices.BinarySearch(r.names, name); !found && len(r.names) < MaxPeers {
		r.names = slices.Insert(r.names, i, name)
		r.edits++
	}
}

// heard notes that a node is there.
func (r *roster) heard(name string) {
	r.add(name)
	if i, found := slices.BinarySearch(r.before, name); found {
		r.before = slices.Delete(r.before, i, i+1)
	}
}

// valid is the names of nodes, for whoever keeps them.
func (r *roster) valid() []string {
	return slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return name == lost })
}

func (r *roster) has(name string) bool {
	_, found := slices.BinarySearch(r.names, name)
	return found
}

// remove reports whether the name was there.
func (r *roster) remove(name string) bool {
	if i, found := slices.BinarySearch(r.before, name); found {
		r.before = slices.Delete(r.before, i, i+1)
	}
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

// own is how many nodes there are for all that this node knows by itself.
func (r *roster) own() int { return 1 + len(r.names) }

// size is how many nodes there are. A node that comes while others are cut off cannot know
// their names, but its peers do: it believes those that say more from its beginning on, as
// long as they do. Whoever is there for longer believes its own roster, since a bye reaches
// one node sooner than another.
func (ms *members) size() int {
	size := ms.roster.own()
	for _, p := range ms.peers {
		if p.state == PeerAlive && p.confirmed && p.told {
			size = max(size, p.members)
		}
	}
	return size
}

// reckon takes how many nodes there are for all that a peer knows by itself.
func (ms *members) reckon(p *peer, m *Message) {
	was, told := p.members, p.told
	p.members, p.unsure = int(min(m.Members, MaxPeers+1)), m.Unsure //nolint:gosec // capped
	p.told = (p.told || ms.coming) && p.members > ms.roster.own()
	ms.changed = ms.changed || p.told && p.members != was || p.told != told
}

// unsure reports whether there may be nodes that this node did not hear since it started.
func (ms *members) unsure() bool { return len(ms.roster.before) > 0 || ms.size() > ms.roster.own() }

// outdate strikes the members of an earlier run off that left while this node was away. For
// some time now there were peers that are sure whom there is. All of these hear us, and know
// of nobody whom we do not hear.
func (ms *members) outdate(now int64) {
	r := &ms.roster
	if len(r.before) == 0 {
		return
	}
	heard, sure := r.own()-len(r.before), false
	for _, p := range ms.peers {
		if p.state != PeerAlive || !p.confirmed || p.members == 0 || p.unsure || p.joining {
			continue
		}
		sure = true
		if !p.hearsUs || p.members > heard {
			r.needless = false
			return
		}
	}
	switch {
	case !sure:
		r.needless = false
	case !r.needless:
		r.needless, r.needlessAt = true, now
	case now-r.needlessAt >= int64(ms.cfg.SuspectAfter):
		for _, name := range slices.Clone(r.before) {
			r.remove(name)
		}
	}
}
