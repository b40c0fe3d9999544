package envoyrls

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// decide decides all parts. First come those that the node charges all or none of, then each
// of the others by itself: their charges stand whatever the first ones came to.
func (w *work) decide(ctx context.Context, s *Service) error {
	for i := range w.parts {
		if w.parts[i].how == together {
			w.asked = append(w.asked, i)
		}
	}
	if err := w.decideTogether(s.cfg.Node); err != nil {
		return err
	}
	ctx, cancel := w.waiting(ctx)
	defer cancel()
	for i := range w.parts {
		p := &w.parts[i]
		var err error
		switch p.how {
		case look:
			err = p.look(s.cfg.Node)
		case inFull:
			err = p.chargeInFull(s.cfg.Node)
		case apart:
			err = p.conclude(s.cfg.Node.Do(p.request()))
		case giveBack:
			err = p.giveBack(ctx, s)
		default:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mostTogether is how many limits the node decides at once: the request's own, and those beside it.
// Requests with more descriptors look first and charge then, so it follows node.MaxChecks.
const mostTogether = node.MaxChecks + 1

// decideTogether decides the parts of which all are charged or none. One part, or as many as the node
// takes at once, are decided at one instant.
func (w *work) decideTogether(n Node) error {
	switch {
	case len(w.asked) == 0:
		return nil
	case len(w.asked) == 1:
		p := &w.parts[w.asked[0]]
		return p.conclude(n.Do(p.request()))
	case len(w.asked) <= mostTogether:
		return w.decideAtOnce(n)
	}
	// More than the node can decide at once: look at all, then charge all. Several descriptors of
	// one bucket need room for all of them. Two requests at one instant can still both pass: what
	// that is too much is a debt.
	type bucket struct {
		id   string
		rule *rule
	}
	needs, passes := make(map[bucket]int64, len(w.asked)), true
	for _, i := range w.asked {
		p := &w.parts[i]
		b := bucket{p.id, p.rule}
		needs[b] += p.cost
		q := p.request()
		q.Cost, q.Peek = needs[b], true
		if err := p.conclude(n.Do(q)); err != nil {
			return err
		}
		passes = passes && !p.over
	}
	if !passes {
		return nil
	}
	for _, i := range w.asked {
		if err := w.parts[i].chargeInFull(n); err != nil {
			return err
		}
		w.parts[i].over = false
	}
	return nil
}

// decideAtOnce decides the parts as one request of the node: the first one, with the others beside it.
// A node that decides nothing, because the request is at fault, tells no decision for each.
func (w *work) decideAtOnce(n Node) error {
	q := w.parts[w.asked[0]].request()
	w.checks = w.checks[:0]
	for _, i := range w.asked[1:] {
		p := &w.parts[i]
		w.checks = append(w.checks, node.Check{Client: p.id, Limit: limitName, Cost: p.cost, Policy: &p.rule.policy})
	}
	q.Also = w.checks
	d := n.DoDetailed(q)
	if len(d.Each) != len(w.asked) {
		return fault(d.Reason, d.Fault)
	}
	for k, i := range w.asked {
		if err := w.parts[i].conclude(d.Each[k]); err != nil {
			return err
		}
	}
	return nil
}

// request is the part as the node is asked for it alone. Domains share out the room for policies, so
// that one with an override for every request takes it from itself.
func (p *part) request() node.Request {
	return node.Request{Origin: p.domain, Door: node.DoorGRPC, Client: p.id, Limit: limitName, Cost: p.cost, Policy: &p.rule.policy}
}

// look asks for the level. A bucket is OK up to exactly its limit, where the node would admit
// no further unit: who looks asks for nothing.
func (p *part) look(n Node) error {
	q := p.request()
	q.Cost, q.Peek = 1, true
	if err := p.conclude(n.Do(q)); err != nil {
		return err
	}
	if p.over && p.d.Reason == node.ReasonOverLimit && p.rule.depth > 0 {
		p.wait = p.d.ResetAfter - p.rule.depth // until it is at its limit
		if p.over = p.wait > 0; !p.over {
			p.wait = p.d.ResetAfter
		}
	}
	return nil
}

// chargeInFull charges what was used, also beyond the limit. The node leaves out what is above its debt
// cap.
func (p *part) chargeInFull(n Node) error {
	c := n.Charge(p.request())
	if c.Fault != nil {
		return fault(c.Reason, c.Fault)
	}
	return p.conclude(c.Decision)
}

// refundWithin is how long a request waits for nodes that are to give back, however many of its
// descriptors do. Raising it holds callers up while a node is away; lowering it answers before
// distant nodes did, which give back all the same.
const refundWithin = time.Second

// waiting bounds how long a request that gives back may wait. Others never do.
func (w *work) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	waits := false
	for i := range w.parts {
		waits = waits || w.parts[i].how == giveBack
	}
	if !waits {
		return ctx, func() {}
	}
	within := refundWithin
	if deadline, ok := ctx.Deadline(); ok { // the rest is for the answer's way
		within = min(within, time.Until(deadline)/2)
	}
	return context.WithTimeout(ctx, within)
}

// giveBack gives back what was charged before, and tells what is left then.
func (p *part) giveBack(ctx context.Context, s *Service) error {
	if _, err := s.cfg.Node.Refund(ctx, p.request()); err != nil {
		s.cfg.Logger.Warn("units were not given back", "rule", p.rule.label, "error", err)
		return fault(node.ReasonOK, err)
	}
	if err := p.look(s.cfg.Node); err != nil {
		return err
	}
	p.over, p.wait = false, p.d.ResetAfter // who gives back asks for nothing
	return nil
}

// conclude takes over the node's decision. Reasons that say nothing of the bucket are errors: Envoy then
// does what its failure mode says, and takes no answer for a denial.
func (p *part) conclude(d node.Decision) error {
	switch d.Reason {
	case node.ReasonTooManyPolicies, node.ReasonBadPolicy, node.ReasonBadRequest, node.ReasonBadCost,
		node.ReasonNoClient, node.ReasonClientTooLong, node.ReasonUnknownLimit:
		return fault(d.Reason, nil)
	default:
	}
	p.d, p.over, p.wait = d, !d.Allowed, d.ResetAfter
	if p.over {
		if p.wait = d.RetryAfter; p.wait > longest {
			p.wait = p.window() // it never passes; who retries then has not much to lose
		}
	}
	return nil
}

// window is the unit of time of the part's limit, as often as its multiplier says. A limit of a file has
// no multiplier, which stands for 1.
func (p *part) window() time.Duration {
	return units[p.rule.limit.GetUnit()] * time.Duration(max(1, p.rule.limit.GetUnitMultiplier().GetValue()))
}

// fault is the error of a request that no limit decided. ResourceExhausted and Unavailable say that
// the same request may succeed later.
func fault(why node.Reason, err error) error {
	code := codes.Internal
	switch {
	case why == node.ReasonTooManyPolicies || errors.Is(err, node.ErrTooManyHeld) || errors.Is(err, node.ErrTooManyPolicies):
		code = codes.ResourceExhausted
	case errors.Is(err, node.ErrClosed):
		code = codes.Unavailable
	}
	text := why.String()
	if err != nil {
		text = err.Error()
	}
	return status.Error(code, text)
}
