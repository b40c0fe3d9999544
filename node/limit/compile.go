package limit

import (
	"errors"
	"fmt"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Compiled is a policy that is ready to be applied. Immutable; safe for concurrent use.
type Compiled struct {
	// Policy is the policy with its defaults filled in.
	Policy Policy
	// Rules has the limit's own rule first, then those of the overrides in their order.
	Rules []Rule
	// Match finds a client's rule. It is nil if every client has the first rule and counts
	// as its own id.
	Match *Match
	// Frames are the window layouts of the rules, each once: few, however many overrides
	// there are. Nodes compare what they counted by them.
	Frames []crdt.Frame
}

// Compile judges a policy and makes its rules. The error joins a *FieldError for each
// field at fault; that of an override begins with "overrides[i]".
func Compile(p Policy) (Compiled, error) {
	base := p
	base.Overrides = nil
	shared := calendars{}
	own, ownErr := newRule(base, shared)
	faults := []error{ownErr}
	if len(p.Overrides) > MaxOverrides {
		return Compiled{}, errors.Join(append(faults, &FieldError{Field: "overrides", Value: len(p.Overrides), Reason: fmt.Sprintf("at most %d", MaxOverrides)})...)
	}
	c := Compiled{Rules: make([]Rule, 1, 1+len(p.Overrides))}
	c.Rules[0] = own
	for i := range p.Overrides {
		o := &p.Overrides[i]
		if o.Name != "" && !validName(o.Name) {
			faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d].name", i), Value: fmt.Sprintf("%.80q", o.Name), Reason: "must be 1 to 64 of A-Z, a-z, 0-9, _, - and ., and not " + OtherOverrides})
		}
		if o.Access == Limited && !o.limits() {
			faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d]", i), Value: "", Reason: "must say what holds instead: limit, window or burst, block or unlimited"})
		}
		// An override names neither algorithm nor resolution, so that all clients of a
		// limit have equally many states.
		r, err := newRule(p.under(o), shared)
		for _, f := range FieldErrors(err) {
			// A fault of the policy itself would be repeated for every override.
			if ownErr == nil || o.sets(f.Field) {
				faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d].%s", i, f.Field), Value: f.Value, Reason: f.Reason})
			}
		}
		r.Index = uint16(i + 1) //nolint:gosec // at most MaxOverrides
		c.Rules = append(c.Rules, r)
	}
	var err error
	c.Match, err = newMatch(&p)
	if err := errors.Join(append(faults, err)...); err != nil {
		return Compiled{}, err
	}
	c.Policy = own.Policy
	c.Policy.Overrides = p.Overrides
	c.Frames = layouts(c.Rules)
	return c, nil
}

func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return len(name) <= 64 && name != OtherOverrides
}

// layouts are the rules' different frames. Two frames are alike if they have one width and
// one calendar, because a drain plays no part in where windows lie.
func layouts(rules []Rule) []crdt.Frame {
	type layout struct {
		width    int64
		calendar *calendar
	}
	seen := map[layout]bool{}
	var frames []crdt.Frame
	for i := range rules {
		r := &rules[i]
		if l := (layout{r.Frame.Width, r.calendar}); !seen[l] {
			seen[l] = true
			frames = append(frames, r.Frame)
		}
	}
	return frames
}
