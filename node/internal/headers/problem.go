package headers

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The problem types that the IETF's draft registers.
const (
	TypeQuotaExceeded   = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	TypeReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
)

// ProblemType is the content type of problems in JSON (RFC 9457).
const ProblemType = "application/problem+json"

// Violated lists the limits that deny, each name once, as in the member violated-policies of
// the draft's problems.
func Violated(ds []node.Decision) []string {
	names := []string{}
	for i := range ds {
		if !ds[i].Allowed && !slices.Contains(names, ds[i].Limit) {
			names = append(names, ds[i].Limit)
		}
	}
	return names
}
