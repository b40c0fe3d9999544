package limits

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Default is the name of the limit that is meant where none is named.
const Default = "default"

// MaxLimits caps the named limits of a node, deleted ones included while they are
// remembered. Raising it takes memory in every shard, which tallies each limit. Lowering it
// forgets deleted limits sooner, and with them that they are deleted.
const MaxLimits = 1024

// ErrTooManyLimits says that a further limit would be more than MaxLimits, and that no
// deleted one can make room.
var ErrTooManyLimits = errors.New("node: too many limits")

const (
	// mostBytes caps the entries that nodes state, all together. Raising it lets bad peers take
	// more memory of every node, and of the state directory. Lowering it refuses what many nodes
	// with long overrides set.
	mostBytes = 4 << 20
	// mostBytesEach caps those that one run of a node states, so that one bad peer leaves room
	// for the others. Raising it leaves less. Lowering it refuses what an operator sets through
	// one node.
	mostBytesEach = mostBytes / 2
)

// errTooManyBytes refuses an entry for its size.
var errTooManyBytes = fmt.Errorf("%w: those that were set are larger together than nodes take from each other, %d MiB in all and %d MiB through one node", ErrTooManyLimits, mostBytes>>20, mostBytesEach>>20)

// Config is what a Registry is made from.
type Config struct {
	// Replica is the incarnation of the node: the author of its changes.
	Replica crdt.Replica
	// Hash hashes names and policies, alike on all nodes of a cluster.
	Hash func([]byte) (hi, lo uint64)
	// Keys makes the keys of clients, alike on all nodes of a cluster. It has read nothing.
	Keys deltasync.KeyHash
	// Tolerance is how far ahead of this node's clock another node's may be. It refuses
	// entries that are further ahead.
	Tolerance time.Duration
	// Began is when this node began to decide, by its clock.
	Began int64
	// Configured are the limits of the node's configuration. ConfiguredAt is how new that
	// is, in unix nanoseconds; 0 if nobody knows.
	Configured   map[string]limit.Policy
	ConfiguredAt int64
	// Dropped counts what the Registry drops of peers' messages. It is not nil.
	Dropped *tally.Drops
	// Observer learns what happens. It is not nil.
	Observer Observer
}

// Observer learns what a Registry does, to log it, count it or send it. The Registry calls
// it with no lock held, from the goroutine that called the Registry.
type Observer interface {
	// LimitChanged tells that an entry of a peer's was taken over.
	LimitChanged(r deltasync.Register)
	// LimitRefused tells that an entry of a peer's was refused. It hears nothing of entries
	// from clocks that are ahead, which come again with every exchange.
	LimitRefused(r deltasync.Register, why error)
	// LimitProposed tells that this node has a change to send, soon.
	LimitProposed()
}

// Registry is the limits of a node: those of its configuration, shadowed by those that were
// set since on any node, and the inline limits that requests brought. Make one with New. Its
// methods are safe for concurrent use; see the package on locks.
type Registry struct {
	cfg    Config
	byName atomic.Pointer[map[string]*Limit]
	inline *inlines
	words  words
	// inlineAccount is that of all inline limits.
	inlineAccount *tally.Account
	// baseDigest sums up the limits of base that are in force as this node is configured, so
	// that nodes see that they decide differently. ownDigests are those of all of base.
	baseDigest atomic.Uint64

	// proposing is held while an entry is made: two that follow on one entry could get one
	// stamp otherwise. It is taken before mu, never after it.
	proposing sync.Mutex

	accounts accounts // mu guards it

	mu         sync.Mutex // guards the fields below, and every change of byName
	base       map[string]limit.Policy
	baseAt     int64
	ownDigests map[string]crdt.Digest
	// set has the newest entry of each limit that was ever changed here or at a peer, and
	// setDigests what RegistersDigest sums up of it.
	set        map[string]deltasync.Register
	setDigests map[string]crdt.Digest
	// history has the last revisions of those limits, newest first, as far as any entry
	// stated them that was merged.
	history map[string][]statement
	changed []string // names in set that ChangedRegisters has not listed yet
	// pending holds statements to propose again. Either two nodes changed a limit without
	// knowing of each other (statement.joined), or an earlier proposal was refused for a
	// while.
	pending map[string]statement
}

// New makes a Registry. The error is that of Policy.Validate.
func New(cfg Config) (*Registry, error) {
	g := &Registry{
		cfg: cfg, base: cfg.Configured, baseAt: cfg.ConfiguredAt,
		set: map[string]deltasync.Register{}, setDigests: map[string]crdt.Digest{}, history: map[string][]statement{}, pending: map[string]statement{},
		inlineAccount: &tally.Account{Name: InlineLimit},
	}
	g.inline = newInlines()
	g.configured(cfg.Configured)
	limits := map[string]*Limit{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Configured)) {
		l := newLimit(name, g.accounts.take(), cfg.Keys) // index 0 is that of inlineAccount
		r, err := l.newRevision(cfg.Configured[name], crdt.Stamp{})
		if err != nil {
			return nil, err
		}
		r.Source = SourceConfigured
		g.accounts.apart(l, r)
		l.insert(0, r)
		limits[name] = l
	}
	g.byName.Store(&limits)
	return g, nil
}

// Get is the limit of a name, nil if there is none; "" is Default. Wait-free.
func (g *Registry) Get(name string) *Limit {
	if name == "" {
		name = Default
	}
	return (*g.byName.Load())[name]
}

// All lists the limits in the order of their names, without inline ones.
func (g *Registry) All() []*Limit {
	limits := slices.Collect(maps.Values(*g.byName.Load()))
	slices.SortFunc(limits, func(a, b *Limit) int { return strings.Compare(a.Name, b.Name) })
	return limits
}

// Accounts lists those of all limits. The inline ones share one.
func (g *Registry) Accounts() (out []*tally.Account) {
	for _, l := range g.All() {
		out = append(out, l.Account)
	}
	return append(out, g.inlineAccount)
}

// Configured is what the node is configured with under a name, defaults filled in; nil if it
// is not.
func (g *Registry) Configured(name string) *limit.Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, some := g.base[name]; some {
		p = p.WithDefaults()
		return &p
	}
	return nil
}

// maxName is the longest name of a limit. Raising it makes messages and series longer; lowering it refuses
// names that are in use.
const maxName = 64

// nameBytes are what names of limits consist of: those of nodes' names, and dots.
const nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

// ValidName reports whether a limit may have this name, which metrics and messages carry.
// The error is a *FieldError.
func ValidName(name string) error {
	switch {
	case name == "" || len(name) > maxName || strings.Trim(name, nameBytes) != "":
		return &limit.FieldError{Field: "name", Value: fmt.Sprintf("%.80q", name), Reason: "must be 1 to 64 of A-Z, a-z, 0-9, _, - and ."}
	case name == InlineLimit:
		return &limit.FieldError{Field: "name", Value: strconv.Quote(name), Reason: "stands for all limits that come with requests: choose another"}
	}
	return nil
}

// Valid judges limits that a node is to be configured with. The error joins every fault.
func Valid(all map[string]limit.Policy) error {
	var faults []error
	if len(all) > MaxLimits {
		faults = append(faults, &limit.FieldError{Field: "limits", Value: len(all), Reason: fmt.Sprintf("at most %d", MaxLimits)})
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := errors.Join(ValidName(name), all[name].Validate()); err != nil {
			faults = append(faults, fmt.Errorf("limit %q: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// longestGone is the limit that was deleted first, nil if none is deleted. A node has to
// remember deleted limits, or a node that was away would bring them back. It cannot remember
// them for ever, or names that come and go would fill the registry. Limits that were deleted
// at once go by name, so that all nodes oust the same.
func longestGone(limits map[string]*Limit) *Limit {
	var first *Limit
	for _, l := range limits {
		if r := l.Newest(); r.Gone && (first == nil || cmp.Or(r.Stamp.Compare(first.Newest().Stamp), strings.Compare(l.Name, first.Name)) < 0) {
			first = l
		}
	}
	return first
}

// configured notes a configuration's digests. mu is held, or nobody else knows g yet.
func (g *Registry) configured(base map[string]limit.Policy) {
	g.ownDigests = make(map[string]crdt.Digest, len(base))
	for name, p := range base {
		p = p.WithDefaults()
		text, _ := json.Marshal(p) // a policy has nothing that JSON cannot write
		hi, lo := g.cfg.Hash(append(append([]byte(name), 0), text...))
		var d crdt.Digest
		d.Grow(crdt.Key{Hi: hi, Lo: lo}, crdt.Life{}, 0, crdt.Count{P: 1})
		g.ownDigests[name] = d
	}
	g.sumUp()
}

// sumUp brings baseDigest up to date. A limit that the register states is the same on all
// nodes, whatever their files say, so it is left out. mu is held, or nobody else knows g yet.
func (g *Registry) sumUp() {
	sum := crdt.Digest(0)
	for name, d := range g.ownDigests {
		if h := g.history[name]; len(h) == 0 || h[0].Policy == nil && h[0].Base == nil && !h[0].None {
			sum += d
		}
	}
	g.baseDigest.Store(uint64(sum))
}
