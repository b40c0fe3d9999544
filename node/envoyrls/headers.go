package envoyrls

import (
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
)

// Headers are the fields that answers tell Envoy to add to those of the client's answer. The
// zero value adds RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers, and
// Retry-After to denials.
type Headers struct {
	// Off leaves these fields out.
	Off bool
	// PartitionKey is a secret with which RateLimit and RateLimit-Policy tell whose quota they are of
	// (pk), without the descriptor's values. Default: they do not.
	PartitionKey []byte
	// Limit, Remaining and Reset are the names of fields with what the tightest limit allows,
	// what is left of it, and the seconds until all of it is there, as envoyproxy/ratelimit
	// adds them. Default: none.
	Limit, Remaining, Reset string
}

// mostFields is how many fields an answer can have: three of the draft, and three with names that the
// operator chose. A field more needs one more.
const mostFields = 6

// fields collects the fields of one answer. Their values share one allocation: value i ends at
// ends[i] in the text, where the next one begins.
type fields struct {
	names [mostFields]string
	ends  [mostFields]int
	count int
}

// end ends the value that was appended to text since the last one.
func (f *fields) end(name string, text []byte) {
	f.names[f.count], f.ends[f.count] = name, len(text)
	f.count++
}

// add adds the fields to an answer. A request that is over its limits passes after the wait.
func (h *Headers) add(a *room, w *work, over bool, wait time.Duration) {
	var f fields
	if !h.Off {
		w.standard(&f, h.PartitionKey, over, wait)
	}
	if best := w.tightest(); best != nil && h.Limit != "" {
		w.fields = strconv.AppendUint(w.fields, uint64(best.rule.limit.GetRequestsPerUnit()), 10)
		f.end(h.Limit, w.fields)
		w.fields = strconv.AppendInt(w.fields, max(0, best.d.Remaining), 10)
		f.end(h.Remaining, w.fields)
		w.fields = strconv.AppendInt(w.fields, headers.Seconds(best.wait), 10)
		f.end(h.Reset, w.fields)
	}
	if f.count == 0 {
		return
	}
	text, from := string(w.fields), 0
	for i := range f.count {
		a.fields[i].Key, a.fields[i].Value = f.names[i], text[from:f.ends[i]]
		a.added[i], from = &a.fields[i], f.ends[i]
	}
	a.response.ResponseHeadersToAdd = a.added[:f.count:f.count]
}

// standard appends the fields of the draft, and Retry-After if the request is over for a while. A rule
// without a limit to state, because it is unlimited or matched nothing, has no part in them.
func (w *work) standard(f *fields, partition headers.Partition, over bool, wait time.Duration) {
	var pk []string
	for i := range w.parts {
		p := &w.parts[i]
		if p.rule == nil || p.rule.limit == nil {
			continue
		}
		d := p.d
		d.Limit, d.Allowed, d.RetryAfter = p.rule.label, !p.over, p.wait
		if d.Allowed {
			d.RetryAfter = 0
		}
		w.shown = append(w.shown, d)
		if len(partition) > 0 {
			pk = append(pk, partition.Key(p.id))
		}
	}
	before := len(w.fields)
	if w.fields = headers.AppendPolicy(w.fields, w.shown, pk); len(w.fields) > before {
		f.end(headers.FieldPolicy, w.fields)
		w.fields = headers.AppendLimits(w.fields, w.shown, pk)
		f.end(headers.FieldLimits, w.fields)
	}
	if over {
		// 0 would make clients retry at once.
		w.fields = strconv.AppendInt(w.fields, max(1, headers.Seconds(wait)), 10)
		f.end(headers.FieldRetry, w.fields)
	}
}

// tightest is the part that is over its limit, or else has the least left; nil if nothing is
// limited.
func (w *work) tightest() *part {
	var best *part
	for i := range w.parts {
		p := &w.parts[i]
		if p.rule == nil || p.rule.limit == nil {
			continue
		}
		if best == nil || p.over && !best.over || p.over == best.over && p.d.Remaining < best.d.Remaining {
			best = p
		}
	}
	return best
}
