package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// Caps of a batch. Raising them lets one request hold up the others of its connection for
// longer, and take more memory; lowering them makes callers send more requests.
const (
	// MaxBatch is the most requests of a batch.
	MaxBatch = 100
	// MaxBatchBody is the largest body of a batch, in bytes.
	MaxBatchBody = 256 << 10
	// batchHold is how long after its start a batch still lets its next request wait for loans.
	batchHold = node.DefaultHold
)

// batch is the input of a batch. all_or_nothing makes its requests one request of several limits:
// they pass together or not at all, at one instant.
type batch struct {
	requests []request
	allOrNot bool
}

const batchExample = `{"requests":[{"client":"alice"}]}`

func (b *batch) fields() []spec.Field {
	return []spec.Field{{Name: "requests", Into: b.readRequests}, {Name: "all_or_nothing", Into: &b.allOrNot}}
}

// readRequests reads the list of requests, each with the fields of a take. A fault in one refuses the
// whole batch, because nothing has been taken yet; a limit that does not exist refuses its own request.
func (b *batch) readRequests(r *spec.Reader, path string, v spec.Value) {
	if v.Kind != spec.List || len(v.Items) == 0 || len(v.Items) > MaxBatch {
		r.Refuse(v.Line, path, "is not such a list", fmt.Sprintf("must be a list of 1 to %d mappings, such as [{\"client\": \"alice\"}]", MaxBatch))
		return
	}
	b.requests = make([]request, len(v.Items))
	for i, item := range v.Items {
		q := &b.requests[i]
		*q = newRequest()
		r.Fields(spec.Index(path, i), item, `{"client": "alice"}`, append(append(q.fields(), q.atMostField()), q.nested()...))
	}
}

// batched is one answer of a batch: a decision, or what is wrong with the request.
type batched struct {
	*decision
	Problem *problem `json:"problem,omitempty"`
}

// batch decides several requests: each by itself, in their order, or all or nothing. By themselves the
// status is 200 whatever they got, and each answer tells its own.
func (a *api) batch(w http.ResponseWriter, r *http.Request) {
	var b batch
	v, p := readDocument(w, r, MaxBatchBody, batchExample)
	if p == nil {
		var in spec.Reader
		in.Fields("", v, batchExample, b.fields())
		p = refused(&in)
	}
	switch {
	case p != nil:
		p.write(w)
	case len(b.requests) == 0:
		bad("requests", "requests is missing: it must be a list of 1 to "+fmt.Sprint(MaxBatch)+" requests").write(w)
	case b.allOrNot:
		a.takeAll(w, r, b.requests)
	default:
		ok(w, map[string]any{"results": a.takeEach(r, b.requests)})
	}
}

// together is the answer to requests that pass together or not at all. RetryAfter is the longest of
// all, after which they can pass together.
type together struct {
	Allowed    bool      `json:"allowed"`
	RetryAfter int64     `json:"retry_after_ms"`
	Results    []batched `json:"results"`
}

// takeEach decides the requests of a batch, each by itself. None of them waits once all have waited for
// batchHold. An answer has the form of a take's, without the fields that a header would carry.
func (a *api) takeEach(r *http.Request, requests []request) []batched {
	results := make([]batched, len(requests))
	var binding struct {
		q  node.Request
		d  node.Detail
		ok bool
	}
	until := time.Now().Add(batchHold)
	for i := range requests {
		q := &requests[i]
		ask := q.request(r)
		if !time.Now().Before(until) {
			ask.Hold = nil
		}
		d := a.node.DoDetailed(ask)
		if p := a.omitted(q.limit, refusal(d.Fault)); p != nil {
			p.Title = http.StatusText(p.Status)
			results[i].Problem = p
			continue
		}
		out := q.decision(&d)
		results[i].decision = &out
		if !binding.ok || headers.Tighter(&d.Decision, &binding.d.Decision) {
			binding.q, binding.d, binding.ok = ask, d, true
		}
	}
	if binding.ok {
		a.tell(r, &binding.q, &binding.d)
	}
	return results
}

// takeAll decides requests that pass together or not at all. They are one request of several
// limits to the node: the first one, with the others beside it. So what such a request cannot
// have, none of them may have.
func (a *api) takeAll(w http.ResponseWriter, r *http.Request, requests []request) {
	if len(requests) > 1+node.MaxChecks {
		bad("requests", fmt.Sprintf("requests must be at most %d if they are to pass together", 1+node.MaxChecks)).write(w)
		return
	}
	first := &requests[0]
	ask := first.request(r)
	for i := range requests {
		q := &requests[i]
		at := spec.Index("requests", i)
		switch {
		case q.atMost:
			bad(at+".at_most", at+".at_most must not be true if requests are to pass together").write(w)
			return
		case len(q.also) > 0:
			bad(at+".also", at+".also must not be there if requests are to pass together: list its limits as requests").write(w)
			return
		case q.client == "":
			bad(at+".client", at+".client is missing").write(w)
			return
		case q.cost < 1:
			bad(at+".cost", at+".cost must be at least 1").write(w)
			return
		}
		if i > 0 {
			c := node.Check{Client: q.client, Limit: q.limit, Cost: q.cost, Policy: q.policy}
			if c.Limit == "" {
				c.Limit = node.DefaultLimit
			}
			ask.Also = append(ask.Also, c)
		}
	}
	d := a.node.DoDetailed(ask)
	if p := a.omitted(first.limit, refusal(d.Fault)); p != nil {
		p.write(w)
		return
	}
	a.tell(r, &ask, &d)
	out := together{Allowed: d.Allowed, RetryAfter: milliseconds(headers.Wait(d.RetryAfter)), Results: make([]batched, len(requests))}
	for i := range requests {
		one := d.Decision
		if len(d.Each) > 0 {
			one = d.Each[i]
		}
		result := decisionOf(one)
		result.Cost = &one.Cost
		out.Results[i] = batched{decision: &result}
	}
	a.describe(w, &ask, &d.Decision, d.Each)
	answer(w, &d.Decision, out)
}
