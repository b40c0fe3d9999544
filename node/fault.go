package node

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// fault says what is wrong with the check, for the reason why no limit decided it.
func (c *check) fault() error {
	switch c.why {
	case ReasonUnknownLimit:
		name := cmp.Or(c.name, DefaultLimit)
		if c.policy != nil {
			return limit.Under(c.field("limit"), "name", limits.ValidName(name))
		}
		return fmt.Errorf("%w: %w", ErrUnknownLimit, &FieldError{Field: c.field("limit"), Value: name, Reason: "must be the name of a limit"})
	case ReasonNoClient, ReasonClientTooLong:
		return clientFault(c.field("client"), c.why)
	case ReasonBadCost:
		return &FieldError{Field: c.costField(), Value: c.cost, Reason: "must be at least 1"}
	case ReasonCostTooHigh:
		return &FieldError{Field: c.costField(), Value: c.cost, Reason: fmt.Sprintf("is above the burst of %d of limit %s, so it can never pass", c.d.Burst, c.d.Limit)}
	case ReasonBadPolicy:
		if err := c.policy.Validate(); err != nil {
			return limit.Under(c.field("policy"), "", err)
		}
		return &FieldError{Field: c.field("policy"), Value: "set", Reason: "must have no overrides, UTC as its time zone, the default max_overshoot, and another consistency than bounded"}
	case ReasonTooManyPolicies:
		return ErrTooManyPolicies
	default:
		return nil
	}
}

// field is the path of one of the check's fields in its request.
func (c *check) field(name string) string {
	if c.place == 0 {
		return name
	}
	return fmt.Sprintf("also[%d].%s", c.place-1, name)
}

// costField is the path of the field that gave the check its cost.
func (c *check) costField() string {
	if c.ownCost {
		return c.field("cost")
	}
	return "cost"
}

// clientFault says what is wrong with a client's id, nil if nothing is.
func clientFault(field string, why Reason) error {
	switch why {
	case ReasonNoClient:
		return &FieldError{Field: field, Value: `""`, Reason: "must not be empty"}
	case ReasonClientTooLong:
		return &FieldError{Field: field, Value: "...", Reason: fmt.Sprintf("must be at most %d bytes: hash what may be longer", MaxClientID)}
	default:
		return nil
	}
}

// badRequest says what is wrong with a request for ReasonBadRequest.
func badRequest(q *Request) error {
	var faults []error
	if q.Timeout < 0 || q.Timeout > MaxTimeout {
		faults = append(faults, &FieldError{Field: "timeout", Value: q.Timeout, Reason: fmt.Sprintf("must be above 0 and at most %v, or 0 for the default", MaxTimeout)})
	}
	if len(q.Also) > MaxChecks {
		faults = append(faults, &FieldError{Field: "also", Value: fmt.Sprintf("of %d", len(q.Also)), Reason: fmt.Sprintf("must be a list of at most %d", MaxChecks)})
	}
	return errors.Join(faults...)
}
