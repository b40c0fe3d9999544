package headers

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The problem types that the IETF's draft registers.
const (
	typeQuotaExceeded   = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	TypeReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
)

// ProblemType is the content type of problems in JSON (RFC 9457).
const ProblemType = "application/problem+json"

// Exceeded is the problem of a denial, as an answer has it.
type Exceeded struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Violated []string `json:"violated-policies"`
}

// QuotaExceeded makes the problem of these decisions, one of which denies.
func QuotaExceeded(status int, ds []node.Decision) Exceeded {
	return Exceeded{typeQuotaExceeded, "Request cannot be satisfied as assigned quota has been exceeded", status, violated(ds)}
}

// violated lists the limits that deny, each name once, as in the member violated-policies of
// the draft's problems.
func violated(ds []node.Decision) []string {
	names := []string{}
	for i := range ds {
		if !ds[i].Allowed && !slices.Contains(names, ds[i].Limit) {
			names = append(names, ds[i].Limit)
		}
	}
	return names
}
