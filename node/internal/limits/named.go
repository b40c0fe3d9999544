package limits

import (
	"cmp"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

const (
	// MaxOverrideNames caps the names by which a limit's decisions are counted, over all its
	// revisions since the node's start. Raising it makes more series of metrics and takes
	// memory in every shard. Lowering it puts more names together as limit.OtherOverrides.
	MaxOverrideNames = 200
	// maxNamed caps those names over all limits. A limit that comes later counts its
	// overrides like unnamed ones. Raising it takes up to 16 KiB for each name.
	maxNamed = 4096
)

// Account is what counts the decisions by a rule of this revision: the limit's own, or that
// of the override's name. It allocates nothing.
func (r *Revision) Account(rule *limit.Rule) *tally.Account {
	if r.named == nil {
		return r.Limit.Account
	}
	return r.named[rule.Index]
}

// Named are the accounts of the limit's overrides with a name, in the order of the names.
// The slice is not to be changed.
func (l *Limit) Named() []*tally.Account {
	if all := l.named.Load(); all != nil {
		return *all
	}
	return nil
}

// accounts are those in which decisions are counted: each has a place of its own in every shard's
// Counts. The registry's lock guards it, unless nobody else knows the registry yet. The zero value has
// given out place 0 alone.
type accounts struct {
	free  []int // places that were given back
	last  int   // the highest place that was given out
	named int   // accounts of overrides
}

// take is a place that nobody has.
func (x *accounts) take() int {
	if n := len(x.free); n > 0 {
		index := x.free[n-1]
		x.free = x.free[:n-1]
		return index
	}
	x.last++
	return x.last
}

// apart gives the revision an account for each name of its overrides.
func (x *accounts) apart(l *Limit, r *Revision) {
	overrides := r.Policy.Overrides
	if !slices.ContainsFunc(overrides, func(o limit.Override) bool { return o.Name != "" }) {
		return
	}
	r.named = make([]*tally.Account, 1+len(overrides))
	r.named[0] = l.Account
	for i := range overrides {
		r.named[i+1] = l.Account
		if name := overrides[i].Name; name != "" {
			r.named[i+1] = x.of(l, name)
		}
	}
}

// of is the account of a name, made if need be and if there is room.
func (x *accounts) of(l *Limit, name string) *tally.Account {
	all := l.Named()
	find := func(name string) (int, bool) {
		return slices.BinarySearchFunc(all, name, func(a *tally.Account, name string) int { return strings.Compare(a.Override, name) })
	}
	at, found := find(name)
	if !found && len(all) >= MaxOverrideNames {
		name = limit.OtherOverrides
		at, found = find(name)
	}
	switch {
	case found:
		return all[at]
	case x.named >= maxNamed:
		return l.Account
	}
	a := &tally.Account{Name: cmp.Or(l.Account.Name, l.Name), Override: name, Index: x.take()}
	x.named++
	next := slices.Insert(slices.Clone(all), at, a)
	l.named.Store(&next)
	return a
}

// giveBack frees the places of a limit's overrides. The limit counts nothing any more.
func (x *accounts) giveBack(l *Limit) {
	for _, a := range l.Named() {
		x.free = append(x.free, a.Index)
		x.named--
	}
}
