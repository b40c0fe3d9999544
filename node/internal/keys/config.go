package keys

import (
	"fmt"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Faults says what is wrong with the settings that all doors have: what decides, the key, and
// the limits by their keys, which are zero where the door's key holds. by says that a function
// chooses the limits. Each fault is a *node.FieldError.
func Faults[R any](decides bool, key Key[R], limits []Key[R], by bool) (faults []error) {
	refuse := func(field string, value any, reason string) {
		faults = append(faults, &node.FieldError{Field: field, Value: value, Reason: reason})
	}
	if !decides {
		refuse("Limiter", "is missing", "must be what decides, such as a *node.Node")
	}
	switch fault := key.Fault(); {
	case key.Zero():
		refuse("Key", "is missing", "must say which client a request counts for: no default is safe both behind a proxy and without one")
	case fault != nil:
		refuse("Key", fault, "must be a key of this package")
	}
	if len(limits) > 0 && by {
		refuse("By", "is given", "must not stand beside Limits, which it replaces")
	}
	if len(limits) > 1+node.MaxChecks {
		refuse("Limits", len(limits), fmt.Sprintf("must be at most %d", 1+node.MaxChecks))
	}
	for i, l := range limits {
		if fault := l.Fault(); fault != nil {
			refuse(fmt.Sprintf("Limits[%d].Key", i), fault, "must be a key of this package")
		}
	}
	return faults
}

// CostOf is what a request costs. Less than 1 counts as 1, so that a length that is not known
// makes no request free.
func CostOf[R any](cost func(R) int64, r R) int64 {
	if cost == nil {
		return 1
	}
	return max(1, cost(r))
}
