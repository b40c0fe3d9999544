package envoyrls

import (
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// work is one request on its way. Its buffers are reused, so that a descriptor costs no
// allocation. One goroutine at a time has it.
type work struct {
	parts  []part
	ids    []byte
	checks []node.Check
	asked  []int // the parts that are decided together
	shown  []node.Decision
	fields []byte
}

// part is one descriptor.
type part struct {
	rule   *rule // nil if nothing limits it
	how    how
	cost   int64 // units, or what comes back; 0 only for a look
	from   int   // of its bucket's id in ids
	to     int
	id     string // of its bucket; all ids of a request share one text
	domain string

	d    node.Decision // of the zero value until decided
	over bool          // the descriptor's own answer, before shadows of the whole service
	wait time.Duration // duration_until_reset
}

// how says how a descriptor is decided and charged.
type how uint8

const (
	free     how = iota // nothing limits it
	together            // with all others of this kind: the node charges all of them or none
	look                // the level decides, and nothing is charged
	inFull              // decided alone, and charged also beyond the limit
	apart               // decided alone, and charged only if admitted
	giveBack            // what was charged before comes back
)

// mostHits caps the cost of a descriptor. The debt cap of any limit is lower.
const mostHits = 1 << 53

// reset makes w ready for another request. It lets go of the last one's texts, and keeps the room.
func (w *work) reset() {
	clear(w.parts)
	clear(w.checks)
	clear(w.shown)
	*w = work{parts: w.parts[:0], ids: w.ids[:0], checks: w.checks[:0], asked: w.asked[:0], shown: w.shown[:0], fields: w.fields[:0]}
}

// list finds the rule of each descriptor, and how it is charged. A limit that a descriptor brings goes
// before the rules of the files, but only in a domain that they know.
func (w *work) list(s *Service, rules *Rules, req *rls.RateLimitRequest) error {
	domain := req.GetDomain()
	tree := rules.domains[domain]
	replaces := false
	for i, d := range req.GetDescriptors() {
		p := part{domain: domain, from: len(w.ids)}
		var err error
		switch {
		case tree == nil:
		case d.GetLimit() != nil:
			p.rule, err = s.overrides.rule(i, d.GetLimit())
			w.ids = appendDescriptor(w.ids, domain, d)
		default:
			p.rule, w.ids = tree.find(domain, d, w.ids)
		}
		if err != nil {
			return err
		}
		w.ids = shorten(w.ids, p.from)
		p.to = len(w.ids)
		if p.rule != nil {
			replaces = replaces || len(p.rule.replaces) > 0
			p.plan(req, d, s.cfg.Quota)
		}
		w.parts = append(w.parts, p)
	}
	ids := string(w.ids) // one allocation for all
	for i := range w.parts {
		p := &w.parts[i]
		p.id = ids[p.from:p.to]
	}
	if replaces {
		w.replace()
	}
	return nil
}

// appendDescriptor appends the id of the bucket of a descriptor that brings its own limit.
func appendDescriptor(b []byte, domain string, d *ratelimit.RateLimitDescriptor) []byte {
	b = appendEscaped(b, domain)
	for _, e := range d.GetEntries() {
		b = appendEntry(b, e.GetKey(), e.GetValue())
	}
	return b
}

// replace drops the rules that others of the request replace, by name. Rules that replace each other all
// go: a rule that is dropped still drops others, whatever the order of the descriptors.
func (w *work) replace() {
	for i := range w.parts {
		r := w.parts[i].rule
		if r == nil {
			continue
		}
		for _, name := range r.replaces {
			for j := range w.parts {
				// An unlimited rule has nothing to drop, and goes on replacing.
				if o := w.parts[j].rule; o != nil && o.name == name && !o.unlimited {
					w.parts[j].how = free
				}
			}
		}
	}
	for i := range w.parts {
		if p := &w.parts[i]; p.how == free && p.rule != nil && !p.rule.unlimited {
			p.rule = nil
		}
	}
}

// plan says how a descriptor is charged. A hits_addend of the request counts at least 1, and only a
// descriptor's own can be 0.
func (p *part) plan(req *rls.RateLimitRequest, d *ratelimit.RateLimitDescriptor, quota bool) {
	own := d.GetHitsAddend()
	p.cost = int64(max(1, req.GetHitsAddend()))
	if own != nil {
		p.cost = int64(min(own.GetValue(), mostHits)) //nolint:gosec // capped
	}
	quota = quota || p.rule.quota
	switch {
	case p.rule.unlimited:
		p.how = free
	case own != nil && p.cost == 0:
		p.how = look
	case d.GetIsNegativeHits():
		p.how = giveBack
	case quota, own != nil && !p.rule.admitted:
		p.how = inFull
	case own != nil:
		p.how = apart
	default:
		p.how = together
	}
}
