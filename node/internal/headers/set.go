package headers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The names of the fields, in their canonical form.
const (
	FieldPolicy = "Ratelimit-Policy"
	FieldLimits = "Ratelimit"
	FieldRetry  = "Retry-After"

	FieldLegacyLimit     = "X-Ratelimit-Limit"
	FieldLegacyRemaining = "X-Ratelimit-Remaining"
	FieldLegacyReset     = "X-Ratelimit-Reset"
)

// Set writes RateLimit-Policy and RateLimit for the decisions of all limits. Both fields are
// lists, so Set adds to what is there already: an answer may pass several limiters.
func Set(h http.Header, ds []node.Decision, pk []string) {
	var room [256]byte
	policy := AppendPolicy(room[:0], ds, pk)
	if len(policy) == 0 {
		return
	}
	both := string(AppendLimits(policy, ds, pk)) // in one allocation, and so are the slices
	values := []string{both[:len(policy)], both[len(policy):]}
	if h[FieldPolicy] == nil && h[FieldLimits] == nil {
		h[FieldPolicy], h[FieldLimits] = values[:1:1], values[1:]
		return
	}
	h.Add(FieldPolicy, values[0])
	h.Add(FieldLimits, values[1])
}

// SetRetryAfter writes Retry-After if the decision denies.
func SetRetryAfter(h http.Header, bound *node.Decision) {
	if !bound.Allowed {
		h.Set(FieldRetry, strconv.FormatInt(RetryAfter(bound), 10))
	}
}

// SetLegacy writes the X-RateLimit fields of the limit that binds: its burst, what is left,
// and when the whole burst is there again. They are no standard, and servers differ in the
// third. Envoy and throttled mean seconds from now; SetLegacy does if now is zero. Others mean
// a Unix time. A client without a quota gets none.
func SetLegacy(h http.Header, bound *node.Decision, now time.Time) {
	if bound.Burst == 0 {
		return
	}
	reset := Seconds(bound.ResetAfter)
	if !now.IsZero() {
		reset = now.Add(bound.ResetAfter + time.Second - 1).Unix()
	}
	h.Set(FieldLegacyLimit, strconv.FormatInt(bound.Burst, 10))
	h.Set(FieldLegacyRemaining, strconv.FormatInt(bound.Remaining, 10))
	h.Set(FieldLegacyReset, strconv.FormatInt(reset, 10))
}
