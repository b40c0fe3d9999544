package lending

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// roll is the roster as nodes agree on it: R7 to R9 of docs/bounded.md. Names are added and struck
// off, and neither is ever undone. So nodes that heard of the same names have the same roll, in
// whatever order they heard. It has no clock and does no I/O. Not safe for concurrent use.
type roll struct {
	self       string
	configured []string        // sorted
	gone       map[string]bool // by name: whether it was struck off
	// opened says that this node uses its shares, or that an earlier run of it did.
	opened bool

	// heard is what each other node said last that it has in force.
	heard map[string]crdt.Digest
	// agreed is since when all members have the roll of a digest in force, by rights.Time.Own; 0 if
	// they do not.
	agreed int64
	digest crdt.Digest
	// until is how long those that were struck off still count, by rights.Time.Own.
	until map[string]int64
}

// most caps the names of a roster and, apart from them, those that were struck off it: a roll takes
// no name beyond. Raising it lets shares become smaller than one request; lowering it refuses clusters.
const most = rights.MaxMembers

// savedRoll is the form in which a roll is kept.
type savedRoll struct {
	Version    int      `json:"version"`
	Configured []string `json:"configured"`
	Members    []string `json:"members"`
	Removed    []string `json:"removed,omitempty"`
	Opened     bool     `json:"opened"`
}

// savedRollVersion is that of the form. A version that reads differently needs another number.
const savedRollVersion = 1

// newRoll makes the roll of a node that begins at own with the roster as it is configured, and as an
// earlier run kept it, if it did. Without configured names the roll is empty. A name that the last
// configuration had, and this one does not have, is struck off. The error says that the text cannot be
// used: the roll is then one that nobody kept.
func newRoll(self string, configured []string, text []byte, own int64) (*roll, error) {
	r := &roll{
		self: self, configured: slices.Sorted(slices.Values(configured)), gone: map[string]bool{},
		heard: map[string]crdt.Digest{}, until: map[string]int64{},
	}
	if len(configured) == 0 {
		return r, nil
	}
	saved, err := readRoll(text)
	for _, name := range saved.Members {
		r.gone[name] = false
	}
	for _, name := range saved.Removed {
		r.strikeOff(name, own)
	}
	for _, name := range saved.Configured {
		if !slices.Contains(configured, name) {
			r.strikeOff(name, own)
		}
	}
	for _, name := range configured {
		if _, known := r.gone[name]; !known {
			r.gone[name] = false
		}
	}
	r.opened = saved.Opened && !r.gone[self]
	return r, err
}

func readRoll(text []byte) (saved savedRoll, err error) {
	if len(text) == 0 {
		return savedRoll{}, nil
	}
	if err := json.Unmarshal(text, &saved); err != nil {
		return savedRoll{}, err
	}
	if saved.Version != savedRollVersion || len(saved.Members) > most || len(saved.Removed) > most {
		return savedRoll{}, fmt.Errorf("%d members, %d removed, version %d: want at most %d of each, and version %d", len(saved.Members), len(saved.Removed), saved.Version, most, savedRollVersion)
	}
	for _, name := range slices.Concat(saved.Members, saved.Removed, saved.Configured) {
		if !deltasync.ValidName(name) {
			return savedRoll{}, fmt.Errorf("no node is called %.80q", name)
		}
	}
	return saved, nil
}

// save is the roll in the form that newRoll reads.
func (r *roll) save() []byte {
	text, err := json.Marshal(savedRoll{savedRollVersion, r.configured, r.names(false), r.names(true), r.opened})
	if err != nil {
		return nil // JSON can write names
	}
	return append(text, '\n')
}

// names are the members, or those that were struck off, in their order.
func (r *roll) names(gone bool) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(r.gone)) {
		if r.gone[name] == gone {
			out = append(out, name)
		}
	}
	return out
}

// strikeOff takes a name off. It counts until nobody can have a loan of it any more: see look. It
// reports whether that was news.
func (r *roll) strikeOff(name string, own int64) bool {
	if r.gone[name] || len(r.names(true)) >= most {
		return false
	}
	r.gone[name], r.until[name] = true, own
	return true
}

// hear takes what another node says that it has in force. A member that goes on, although it was
// struck off, keeps its share from being given to others.
func (r *roll) hear(name string, said deltasync.Roll, own int64) {
	r.heard[name] = said.Digest
	if said.Open && r.gone[name] {
		r.until[name] = own
	}
	for _, e := range said.Names {
		if !deltasync.ValidName(e.Name) {
			continue
		}
		if _, known := r.gone[e.Name]; !known && len(r.names(false)) < most {
			r.gone[e.Name] = false
		}
		if _, known := r.gone[e.Name]; known && e.Gone {
			r.strikeOff(e.Name, own)
		}
	}
	maps.DeleteFunc(r.heard, func(name string, _ crdt.Digest) bool { _, known := r.gone[name]; return !known })
}

// look decides at own whether this node uses its shares. ready says that it knows the limits of the
// cluster, and hold is how long the longest loan lasts. A node that uses none begins once each other
// member has had this very roll in force for hold: nobody else then has its share, and no loan of a
// larger one is out. It forgets those that were struck off for longer.
func (r *roll) look(own, hold int64, ready bool) {
	maps.DeleteFunc(r.until, func(_ string, since int64) bool { return own-since >= hold })
	switch digest := r.sum(); {
	case r.gone[r.self]:
		r.opened = false
	case r.opened:
	case !ready || r.waitsFor() != nil:
		r.agreed = 0
	case r.agreed == 0 || r.digest != digest:
		r.agreed, r.digest = own, digest
	case own-r.agreed >= hold:
		r.opened = true
	}
}

// waitsFor are the other members that do not have this roll in force, for all that they said.
func (r *roll) waitsFor() (out []string) {
	digest := r.sum()
	for _, name := range r.names(false) {
		if name != r.self && r.heard[name] != digest {
			out = append(out, name)
		}
	}
	return out
}

// counted are the names that have a share: the members, and those that were struck off lately.
func (r *roll) counted() []string {
	return append(r.names(false), slices.Sorted(maps.Keys(r.until))...)
}

// roster is who has shares now, for accounts.
func (r *roll) roster() *rights.Roster {
	if !r.opened {
		return rights.NewRoster(r.counted(), "")
	}
	return rights.NewRoster(r.counted(), r.self)
}

// enrolled are all names, as beats tell them.
func (r *roll) enrolled() (out []deltasync.Enrolled) {
	for name, gone := range r.gone {
		out = append(out, deltasync.Enrolled{Name: name, Gone: gone})
	}
	slices.SortFunc(out, func(a, b deltasync.Enrolled) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// sum is the digest of all names, never 0.
func (r *roll) sum() crdt.Digest {
	h := fnv.New64a()
	for _, e := range r.enrolled() {
		_, _ = fmt.Fprintf(h, "%s %t\n", e.Name, e.Gone) // never fails
	}
	return max(1, crdt.Digest(h.Sum64()))
}
