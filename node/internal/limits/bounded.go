package limits

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// words finds the bounded rules by rights.Shares.Word. The zero value knows none.
type words struct {
	all   atomic.Pointer[map[uint64]*limit.Rule]
	built atomic.Int64
}

// wordsAfter is the least time between two looks at all limits for a word that is not known.
// Raising it lets nodes lend nothing for longer after a change. Lowering it lets messages of
// unknown limits cost more.
const wordsAfter = int64(100e6)

// Promised is the bounded rule that is in force at now and that a word stands for; nil if there
// is none.
func (g *Registry) Promised(now int64, word uint64) *limit.Rule {
	r := g.words.find(word)
	if r == nil && now-g.words.built.Load() >= wordsAfter {
		g.words.built.Store(now)
		all := map[uint64]*limit.Rule{}
		for _, l := range g.All() {
			rules := l.At(now).Rules
			for i := range rules {
				if rules[i].Bounded {
					all[rules[i].Shares.Word] = &rules[i]
				}
			}
		}
		g.words.all.Store(&all)
		r = g.words.find(word)
	}
	if r == nil {
		return nil
	}
	if l := g.Get(r.Limit); l == nil || l.Known(now) == nil || l.Known(now).Numbered(r.Index) != r {
		return nil
	}
	return r
}

func (w *words) find(word uint64) *limit.Rule {
	if all := w.all.Load(); all != nil {
		return (*all)[word]
	}
	return nil
}
