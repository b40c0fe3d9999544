package node

import (
	"log/slog"
	"strings"
	"sync"
)

// mostUnknown caps the names of unknown limits that the log tells of. Raising it lets
// clients that choose names write more lines; lowering it hides the misspelt name of a
// program behind those that clients made up.
const mostUnknown = 64

// longestName is the longest name of a limit, in bytes; validLimitName refuses longer
// ones. The log shows no more of a name.
const longestName = 64

// unknownLimits remembers which names of unknown limits the log has told of: a misspelt
// name would otherwise deny everybody in silence. Safe for concurrent use.
type unknownLimits struct {
	mu   sync.Mutex
	told map[string]struct{} // at most mostUnknown
}

// warn tells the log of the first request for an unknown limit.
func (u *unknownLimits) warn(log *slog.Logger, name string) {
	name = name[:min(len(name), longestName)]
	if u.first(name) {
		log.Warn("there is no limit of this name: requests that name it are denied", "limit", name)
	}
}

// first reports whether the name is new, and remembers it.
func (u *unknownLimits) first(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, told := u.told[name]; told || len(u.told) >= mostUnknown {
		return false
	}
	if u.told == nil {
		u.told = map[string]struct{}{}
	}
	u.told[strings.Clone(name)] = struct{}{}
	return true
}
