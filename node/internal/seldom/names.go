package seldom

import (
	"log/slog"
	"strings"
	"sync"
)

const (
	// mostNames caps the names that the log tells of. Raising it lets clients that choose names write
	// more lines; lowering it hides the misspelt name of a program behind those that clients made up.
	mostNames = 64
	// longestName is how much of a name the log shows, in bytes: all of every name that can be one.
	// Raising it lets clients write longer lines; lowering it cuts real names off.
	longestName = 64
)

// Names warns of each of several names once. The zero value has warned of none. Safe for concurrent
// use.
type Names struct {
	mu   sync.Mutex
	told map[string]struct{} // at most mostNames
}

// Warn writes the warning to a log, with the name under key, unless it has warned of that name.
func (n *Names) Warn(log *slog.Logger, text, key, name string) {
	name = name[:min(len(name), longestName)]
	if n.first(name) {
		log.Warn(text, key, name)
	}
}

// first reports whether the name is new, and remembers it.
func (n *Names) first(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, told := n.told[name]; told || len(n.told) >= mostNames {
		return false
	}
	if n.told == nil {
		n.told = map[string]struct{}{}
	}
	n.told[strings.Clone(name)] = struct{}{}
	return true
}
