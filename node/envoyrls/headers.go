package envoyrls

import (
	"math"
	"strconv"
	"time"
)

// Headers are the fields that answers tell Envoy to add to those of the client's answer. The
// zero value adds Retry-After to denials.
type Headers struct {
	// Off leaves Retry-After out.
	Off bool
	// Limit, Remaining and Reset are the names of fields with what the tightest limit allows,
	// what is left of it, and the seconds until all of it is there, as envoyproxy/ratelimit
	// adds them. Default: none.
	Limit, Remaining, Reset string
}

// mostFields is how many fields an answer can have.
const mostFields = 4

// add adds the fields to an answer. They share one allocation.
func (h *Headers) add(a *room, w *work, over bool) {
	var names [mostFields]string
	var ends [mostFields]int
	n := 0
	value := func(name string) {
		names[n], ends[n] = name, len(w.fields)
		n++
	}
	if over && !h.Off {
		w.fields = strconv.AppendInt(w.fields, seconds(w.longestWait()), 10)
		value("Retry-After")
	}
	if h.Limit != "" {
		if p := w.tightest(); p != nil {
			w.fields = strconv.AppendUint(w.fields, uint64(p.rule.limit.GetRequestsPerUnit()), 10)
			value(h.Limit)
			w.fields = strconv.AppendInt(w.fields, max(0, p.d.Remaining), 10)
			value(h.Remaining)
			w.fields = strconv.AppendInt(w.fields, seconds(p.wait), 10)
			value(h.Reset)
		}
	}
	if n == 0 {
		return
	}
	text, from := string(w.fields), 0
	for i := range n {
		a.fields[i].Key, a.fields[i].Value = names[i], text[from:ends[i]]
		a.added[i], from = &a.fields[i], ends[i]
	}
	a.response.ResponseHeadersToAdd = a.added[:n:n]
}

// seconds rounds up, so that nobody comes back too early.
func seconds(d time.Duration) int64 {
	return int64(min(d, math.MaxInt64-time.Second)+time.Second-1) / int64(time.Second)
}

// longestWait is the time until every part that is over its limit passes.
func (w *work) longestWait() time.Duration {
	wait := time.Duration(1) // a denial never says 0
	for i := range w.parts {
		if p := &w.parts[i]; p.over {
			wait = max(wait, p.wait)
		}
	}
	return wait
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
