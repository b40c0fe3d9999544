package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// settledWithin is how long an answer waits for the node that made the reservation. The asked
// node keeps trying after that. Lower answers 202 more often; higher makes clients wait.
const settledWithin = 2 * time.Second

// reservation is a decision with its token. It has none if the node took nothing.
type reservation struct {
	decision
	Reservation string `json:"reservation,omitempty"`
	ExpiresIn   int64  `json:"expires_in_ms,omitempty"`
	RefundsFor  int64  `json:"refunds_for_ms,omitempty"` // later nothing comes back
}

// settlement is the answer of commit and cancel. At least one of Returned and Charged is 0.
type settlement struct {
	Settled  bool  `json:"settled"`
	Returned int64 `json:"returned"` // units that the client got back
	Charged  int64 `json:"charged"`  // units beyond the estimate
	// NotCharged is what is beyond that and above the debt cap.
	NotCharged int64 `json:"not_charged,omitempty"`
	shortfall
}

// unconfirmed is the answer while the other node has not answered.
type unconfirmed struct {
	Settled bool   `json:"settled"`
	Detail  string `json:"detail"`
}

// reserve takes an estimated cost, which commit and cancel settle on any node.
func (a *api) reserve(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	q.shares = true
	if p := readInput(w, r, append(q.fields(), q.atMostField(), q.timeoutField()), q.nested()); p != nil {
		p.write(w)
		return
	}
	ask := q.request(r)
	taken := a.node.Reserve(ask)
	d, fault := taken.Decision, taken.Fault
	token, err := taken.Token()
	if err != nil { // without a token, nobody could settle it
		taken.Cancel()
		d, fault = node.Decision{Reason: node.ReasonTooManyHeld}, err
	}
	if p := a.omitted(q.limit, refusal(fault)); p != nil {
		p.write(w)
		return
	}
	out := reservation{decision: decisionOf(d), Reservation: token}
	out.Cost = &d.Cost
	if token != "" {
		out.ExpiresIn = milliseconds(q.timeout.Duration)
		out.RefundsFor = int64(taken.RefundsFor() / time.Millisecond) // rounded down: then it surely can
	}
	a.tell(r, &ask, &node.Detail{Decision: d})
	a.describe(w, &ask, &d, nil)
	answer(w, &d, out)
}

// commit settles a reservation for the real cost.
func (a *api) commit(w http.ResponseWriter, r *http.Request) {
	token, actual := "", int64(math.MinInt64)
	if p := readInput(w, r, []spec.Field{{Name: "reservation", Into: &token}, {Name: "actual", Into: &actual}}, nil); p != nil {
		p.write(w)
		return
	}
	// Missing would otherwise mean 0, and give back what was used.
	if actual == math.MinInt64 && token != "" {
		bad("actual", "actual is missing: it must be the units that the work cost; POST /v1/cancel gives all back").write(w)
		return
	}
	settle(w, r, func(ctx context.Context) (node.Settlement, error) { return a.node.Settle(ctx, token, max(actual, -1)) })
}

// cancel gives the whole reservation back.
func (a *api) cancel(w http.ResponseWriter, r *http.Request) {
	token := ""
	if p := readInput(w, r, []spec.Field{{Name: "reservation", Into: &token}}, nil); p != nil {
		p.write(w)
		return
	}
	settle(w, r, func(ctx context.Context) (node.Settlement, error) { return a.node.Settle(ctx, token, 0) })
}

// settle answers a commit or a cancel. Both are safe to repeat: the node that made the reservation
// settles it once, and tells whoever asks again that it did.
func settle(w http.ResponseWriter, r *http.Request, by func(context.Context) (node.Settlement, error)) {
	ctx, stop := context.WithTimeout(r.Context(), settledWithin)
	defer stop()
	s, err := by(ctx)
	switch {
	case errors.Is(err, node.ErrUnconfirmed):
		w.Header().Set("Retry-After", "1")
		respond(w, http.StatusAccepted, "application/json", unconfirmed{
			Detail: "the node that made the reservation has not answered yet; this node keeps trying, and you can safely ask again",
		})
	case err != nil:
		problemOf(err, "").write(w)
	default:
		ok(w, settlement{Settled: true, Returned: s.Returned, Charged: s.Charged, NotCharged: s.NotCharged, shortfall: shortfallOf(s.Short)})
	}
}
