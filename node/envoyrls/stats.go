package envoyrls

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// mostStats caps the rules that are counted apart. detailed_metric and value_to_metric let
// clients' values make up rules. Raising it takes memory here and in what scrapes; lowering it
// counts more of them as one.
const mostStats = 10_000

// longestStat is the longest name of a rule, with its domain, that is counted apart, in bytes. Clients'
// values make names longer: raising it takes memory, and lowering it counts more of them as one.
const longestStat = 256

// OtherRules is the rule under which those beyond the caps are counted.
const OtherRules = "other"

// nearLimit is from which share of its limit on a rule counts hits as near the limit, as
// envoyproxy/ratelimit does by default. Another share would make the metric of this name say something
// else than there.
const nearLimit = 0.8

// RuleStats are the hits of one rule since the start, in units. Shadow counts hits beyond the
// limit that shadow_mode let pass; Over has them too.
type RuleStats struct {
	Domain, Rule                      string
	Total, Within, Near, Over, Shadow uint64
}

// tally counts the hits of a rule, in units: total = within + over, and near is part of within.
type tally struct {
	domain, rule                      string
	total, within, near, over, shadow atomic.Uint64
}

// stats are the tallies by name. Safe for concurrent use.
type stats struct {
	mu sync.RWMutex
	// tallies are by domain, a zero byte and rule. One stays once it is there, since a counter that
	// vanished would look like a restart.
	tallies map[string]*tally
}

func newStats() *stats { return &stats{tallies: map[string]*tally{}} }

// Stats lists what was counted by rule, in the order of domains and rules. It is empty without
// Config.Stats.
func (s *Service) Stats() []RuleStats {
	if s.stats == nil {
		return nil
	}
	s.stats.mu.RLock()
	defer s.stats.mu.RUnlock()
	all := make([]RuleStats, 0, len(s.stats.tallies))
	for _, name := range slices.Sorted(maps.Keys(s.stats.tallies)) {
		t := s.stats.tallies[name]
		all = append(all, RuleStats{
			Domain: t.domain, Rule: t.rule, Total: t.total.Load(), Within: t.within.Load(),
			Near: t.near.Load(), Over: t.over.Load(), Shadow: t.shadow.Load(),
		})
	}
	return all
}

// otherRules is the name of OtherRules, which have no domain.
var otherRules = []byte("\x00" + OtherRules)

// tally is the tally of a name, which it does not keep. Beyond the caps it is that of OtherRules.
func (s *stats) tally(name []byte) *tally {
	if len(name) > longestStat {
		name = otherRules
	}
	s.mu.RLock()
	t := s.tallies[string(name)]
	s.mu.RUnlock()
	if t != nil {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	domain, rule, _ := strings.Cut(string(name), "\x00")
	if len(s.tallies) >= mostStats {
		domain, rule = "", OtherRules
	}
	key := domain + "\x00" + rule
	if t = s.tallies[key]; t == nil {
		t = &tally{domain: domain, rule: strings.ToValidUTF8(rule, "?")}
		s.tallies[key] = t
	}
	return t
}

// count counts the parts of a request that a rule decided. A look and a refund are no hits.
func (s *Service) count(rules *Rules, req *rls.RateLimitRequest, w *work) {
	if s.stats == nil {
		return
	}
	for i := range w.parts {
		p := &w.parts[i]
		if p.rule == nil || p.rule.limit == nil || p.how == look || p.how == giveBack {
			continue
		}
		w.fields = append(append(w.fields[:0], req.GetDomain()...), 0)
		w.fields = rules.domains[req.GetDomain()].appendMetric(w.fields, p.rule, req.GetDescriptors()[i])
		s.stats.tally(w.fields).observe(p)
	}
	w.fields = w.fields[:0]
}

// observe counts one part. A part in shadow_mode is over without being denied.
func (t *tally) observe(p *part) {
	units := uint64(p.cost) //nolint:gosec // positive
	t.total.Add(units)
	switch {
	case p.d.Reason == node.ReasonShadow:
		t.shadow.Add(units)
		fallthrough
	case p.over:
		t.over.Add(units)
	default:
		t.within.Add(units)
		if most := p.rule.limit.GetRequestsPerUnit(); float64(p.d.Remaining) < (1-nearLimit)*float64(most) {
			t.near.Add(units)
		}
	}
}

// appendMetric appends what metrics call the rule of a descriptor: keys and values joined as
// envoyproxy/ratelimit joins them, so that dashboards find the same names.
func (b *branch) appendMetric(out []byte, r *rule, d *ratelimit.RateLimitDescriptor) []byte {
	if !r.detailed && !r.values {
		return append(out, r.label...)
	}
	for i, e := range d.GetEntries() {
		if i > 0 {
			out = append(out, '.')
		}
		next, counts := b.next(e.GetKey(), e.GetValue())
		value := next.metricValue(b, e, counts, r.detailed)
		if out = append(out, e.GetKey()...); value != "" {
			out = append(append(out, '_'), value...)
		}
		b = next
	}
	return out
}

// metricValue is what metrics show of an entry that led from a branch to b, and that counts
// under a value.
func (b *branch) metricValue(from *branch, e *ratelimit.RateLimitDescriptor_Entry, counts string, detailed bool) string {
	switch {
	case detailed || b.names || b.share != "" || from.exact[entry{e.GetKey(), e.GetValue()}] == b:
		return counts
	case from.plain[e.GetKey()] == b:
		return ""
	}
	for i := range from.wild {
		if from.wild[i].to == b {
			return from.wild[i].pattern
		}
	}
	return ""
}
