package envoyrls

import (
	"strings"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Rules are the rules of all domains, ready to match. Make them with Read. They are
// immutable. The zero value has no domain, so that every request passes.
type Rules struct {
	domains map[string]*branch
	count   int
}

// Len is the number of rules that limit, block or free somebody.
func (r *Rules) Len() int { return r.count }

// Domains is the number of domains.
func (r *Rules) Domains() int { return len(r.domains) }

// Has reports whether there are rules of a domain.
func (r *Rules) Has(domain string) bool { return r.domains[domain] != nil }

// branch is one place in a domain's tree of descriptors. It is immutable once read.
type branch struct {
	exact map[entry]*branch  // of a key and a value
	plain map[string]*branch // of a key with any value
	wild  []wildcard         // in the order of the file
	rule  *rule              // nil if nothing is limited here
	share string             // the pattern that all values share as one bucket, "" if each counts apart
	names bool               // value_to_metric: metrics name the value
}

// entry is one key and value of a descriptor.
type entry struct{ key, value string }

// wildcard is a pattern of values, and where it leads.
type wildcard struct {
	key     string
	pattern string
	parts   []string // between the stars
	to      *branch
}

// rule says what holds for the descriptors that end at its branch. It is immutable.
type rule struct {
	// policy is what the node decides by: the same for all buckets of the rule, so that a node counts
	// one inline policy for each rule.
	policy    node.Policy
	limit     *rls.RateLimitResponse_RateLimit // as answers state it, nil if unlimited
	unlimited bool
	quota     bool // quota_mode
	admitted  bool // charge: admitted, so that nothing is charged beyond the limit
	// name is what replaces of other rules name; "" if none can.
	name     string
	replaces []string
	// label is what headers and metrics call the rule: its keys and values as configured, never what
	// a client sent.
	label    string
	metadata *structpb.Struct // for the answers; nil for none
	detailed bool             // detailed_metric: metrics name all values
	values   bool             // value_to_metric, of the rule or above it: metrics name some values
	// depth is how far ahead of the clock a bucket at exactly its limit is, for GCRA.
	depth time.Duration
}

// find looks a descriptor up, and appends the id of its bucket to buf. A rule holds only for
// descriptors that are exactly as deep as it is. At each level an exact value goes before
// the first pattern that matches, and that before the key alone.
func (b *branch) find(domain string, d *ratelimit.RateLimitDescriptor, buf []byte) (*rule, []byte) {
	start := len(buf)
	buf = appendEscaped(buf, domain)
	entries := d.GetEntries()
	for i, e := range entries {
		next, value := b.next(e.GetKey(), e.GetValue())
		if next == nil {
			break
		}
		buf = appendEntry(buf, e.GetKey(), value)
		if i == len(entries)-1 {
			if next.rule == nil {
				break
			}
			return next.rule, buf
		}
		b = next
	}
	return nil, buf[:start]
}

// next is the branch of one entry, nil if there is none, and the value under which the entry
// counts: its own, or the pattern where share_threshold gives all values of a pattern one bucket.
func (b *branch) next(key, value string) (to *branch, counts string) {
	if exact := b.exact[entry{key, value}]; exact != nil {
		return exact, value
	}
	for i := range b.wild {
		if w := &b.wild[i]; w.key == key && matches(w.parts, value) {
			if w.to.share != "" {
				return w.to, w.to.share
			}
			return w.to, value
		}
	}
	return b.plain[key], value
}

// matches reports whether a value fits a pattern that was cut at its stars. Each star stands
// for any number of characters. It takes the leftmost place for each part, which is right
// because a later part can only gain room by that.
func matches(parts []string, value string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(value) < len(first)+len(last) || !strings.HasPrefix(value, first) || !strings.HasSuffix(value, last) {
		return false
	}
	rest := value[len(first) : len(value)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}
