package table

import "slices"

// MostLocked is how many shards one decision can hold, and so how many limits a request can name.
// Raising it makes other decisions wait for longer; lowering it refuses requests of more limits.
const MostLocked = 16

// Locked are shards that one decision holds together. Add all, then lock. The zero value is none.
type Locked struct {
	shards [MostLocked]*Shard
	n      int
}

// Add notes a shard, each once, and at most MostLocked.
func (l *Locked) Add(s *Shard) {
	if !slices.Contains(l.shards[:l.n], s) {
		l.shards[l.n] = s
		l.n++
	}
}

// Lock locks them. Every decision locks in the same order, so that two of them never wait for each
// other in a ring.
func (l *Locked) Lock() {
	slices.SortFunc(l.shards[:l.n], (*Shard).Compare)
	for _, s := range l.shards[:l.n] {
		s.Lock()
	}
}

// Unlock unlocks them.
func (l *Locked) Unlock() {
	for _, s := range l.shards[:l.n] {
		s.Unlock()
	}
}
