package envoyrls

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// builder makes Rules of what files say. It goes on after faults, so that one reading shows them all;
// its rules are good only if there were none. It is used once.
type builder struct {
	options Options
	rules   *Rules
	files   map[string]string // the file of each domain
}

func newBuilder(o Options) *builder {
	return &builder{options: o, rules: &Rules{domains: map[string]*branch{}}, files: map[string]string{}}
}

// branchOf makes the branch of a descriptor, nil if there is one already. A value with a star is a
// pattern, and a descriptor without a value takes any. Patterns keep the order of the file, since
// the first that matches wins.
func (b *builder) branchOf(r *spec.Reader, path string, v spec.Value, at *branch, w *written, label string) *branch {
	to := new(branch)
	taken := false
	switch {
	case w.value == "":
		if _, taken = at.plain[w.key]; !taken {
			at.plain = put(at.plain, w.key, to)
		}
	case strings.Contains(w.value, "*"):
		for i := range at.wild {
			taken = taken || at.wild[i].key == w.key && at.wild[i].pattern == w.value
		}
		if !taken {
			at.wild = append(at.wild, wildcard{key: w.key, pattern: w.value, parts: strings.Split(w.value, "*"), to: to})
		}
		if w.shareValue {
			to.share = w.value
		}
	default:
		if _, taken = at.exact[entry{w.key, w.value}]; !taken {
			at.exact = put(at.exact, entry{w.key, w.value}, to)
		}
	}
	if taken {
		r.Refuse(v.Line, path, spec.Quote(label), "is there already: a key and value may stand once at each level")
		return nil
	}
	return to
}

// put sets a branch in a map that may be nil, and returns the map. Most branches have no children, and then no maps.
func put[K comparable](m map[K]*branch, k K, to *branch) map[K]*branch {
	if m == nil {
		m = map[K]*branch{}
	}
	m[k] = to
	return m
}

// units are the names of units of time, and how long each is. A month has 30 days and a year
// 365, as in envoyproxy/ratelimit.
var units = map[rls.RateLimitResponse_RateLimit_Unit]time.Duration{
	rls.RateLimitResponse_RateLimit_SECOND: time.Second,
	rls.RateLimitResponse_RateLimit_MINUTE: time.Minute,
	rls.RateLimitResponse_RateLimit_HOUR:   time.Hour,
	rls.RateLimitResponse_RateLimit_DAY:    day,
	rls.RateLimitResponse_RateLimit_WEEK:   7 * day,
	rls.RateLimitResponse_RateLimit_MONTH:  30 * day,
	rls.RateLimitResponse_RateLimit_YEAR:   365 * day,
}

const (
	day = 24 * time.Hour
	// longest is the longest window of a limit: a year, with a day to spare. A longer one could pass
	// what a node can count.
	longest = 366 * day
)

// unitOf reads the name of a unit in any case, false if it is none.
func unitOf(name string) (rls.RateLimitResponse_RateLimit_Unit, bool) {
	unit := rls.RateLimitResponse_RateLimit_Unit(rls.RateLimitResponse_RateLimit_Unit_value[strings.ToUpper(name)])
	return unit, units[unit] > 0
}

// rule makes the rule of a descriptor with a rate_limit. Faults go to r. It validates the policy here,
// so that no request ever fails for what a file says.
func (b *builder) rule(r *spec.Reader, path string, v spec.Value, w *written, label string) *rule {
	unit, known := unitOf(w.limit.unit)
	out := &rule{
		unlimited: w.limit.unlimited, quota: w.quota, name: w.limit.name, replaces: w.limit.replaces,
		label: strings.ToValidUTF8(label, "?"), detailed: w.detailed,
	}
	b.rules.count++
	at := spec.Join(path, "rate_limit")
	line := v.LineOf("rate_limit.unit")
	var own options
	if w.hasMetadata {
		out.metadata, own = metadata(r, spec.Join(path, "metadata"), w.metadata)
	}
	switch {
	case out.unlimited && known:
		r.Refuse(line, spec.Join(at, "unit"), spec.Quote(w.limit.unit), "must be left out where unlimited is true")
		return out
	case out.unlimited:
		return out
	case !known:
		r.Refuse(line, spec.Join(at, "unit"), spec.Quote(w.limit.unit), "must be second, minute, hour, day, week, month or year")
		return out
	}
	if out.admitted = own.admitted; own.admitted && w.quota {
		r.Refuse(v.LineOf("metadata"), spec.Join(path, "metadata."+ownKey+".charge"), "admitted", "is not for quota_mode, which charges what was used also beyond the limit")
	}
	out.limit = &rls.RateLimitResponse_RateLimit{RequestsPerUnit: w.limit.requests, Unit: unit, Name: w.limit.name}
	out.policy = own.policy(w.limit.requests, unit)
	out.policy.Shadow = w.shadow
	out.depth = depthOf(&out.policy)
	for _, f := range limit.FieldErrors(out.policy.Validate()) {
		r.Refuse(v.LineOf("rate_limit"), at, spec.Quote(fmt.Sprint(w.limit.requests, " per ", w.limit.unit)), fmt.Sprintf("%s %v: %s", f.Field, f.Value, f.Reason))
	}
	return out
}

// policyOf is what a rule without options of its own lets pass. 0 requests per unit block, as in
// envoyproxy/ratelimit; a node's policies need a limit of at least 1.
func policyOf(requests uint32, window time.Duration) node.Policy {
	if requests == 0 {
		return node.Policy{Access: node.Blocked}
	}
	return node.Policy{Limit: int64(requests), Window: window}
}

// depthOf is how long a bucket that is exactly at its limit takes to drain, rounded up as the
// node rounds. It is 0 for what is no bucket.
func depthOf(p *node.Policy) time.Duration {
	if p.Algorithm != node.GCRA || p.Access != node.Limited || p.Limit < 1 {
		return 0
	}
	burst := uint64(cmp.Or(p.Burst, p.Limit))         //nolint:gosec // positive
	hi, lo := bits.Mul64(burst, uint64(p.Window))     //nolint:gosec // positive
	lo, carry := bits.Add64(lo, uint64(p.Limit-1), 0) //nolint:gosec // positive
	if hi += carry; hi >= uint64(p.Limit) {           //nolint:gosec // positive
		return math.MaxInt64
	}
	depth, _ := bits.Div64(hi, lo, uint64(p.Limit)) //nolint:gosec // positive
	return time.Duration(min(depth, math.MaxInt64)) //nolint:gosec // capped
}
