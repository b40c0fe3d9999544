package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// health is the answer to the first question: is it healthy, and why not?
type health struct {
	State    string    `json:"state"` // healthy, degraded or unhealthy
	Findings []finding `json:"findings"`
}

// The states of health. A degraded node decides, and its bound is wide or unknown, or will be. An
// unhealthy one may deny the innocent or admit without a bound.
const (
	healthy   = "healthy"
	degraded  = "degraded"
	unhealthy = "unhealthy"
)

// finding is one thing that is wrong, and what ends it.
type finding struct {
	State string `json:"state"` // degraded or unhealthy
	Text  string `json:"text"`
	Until string `json:"until"`
}

// The thresholds are those of docs/alerts.md.
const (
	skewed    = 250 * time.Millisecond
	filling   = 0.8
	refusing  = 1.0 // requests a second
	faultSpan = lookback * clientsEvery * sampleEvery
)

// faults count what must not grow.
type faults struct{ overflowed, refused uint64 }

func faultsOf(s *node.Stats) faults {
	f := faults{overflowed: s.Overflowed}
	for _, n := range s.Refused {
		f.refused += n
	}
	return f
}

// judge says how healthy the node is. minute is what grew within faultSpan.
func judge(s *node.Stats, minute faults) health {
	h := health{State: healthy, Findings: []finding{}}
	add := func(is bool, state, text, until string) {
		if !is {
			return
		}
		h.Findings = append(h.Findings, finding{state, text, until})
		if h.State != unhealthy {
			h.State = state
		}
	}
	add(!s.Sync.Ready, unhealthy, "This node is not ready: it joins its cluster, or stops", "a node joins within 5 s")
	add(s.Isolated, unhealthy, "Nodes do not hear each other: each side counts alone", "the network carries again. Tell the others with POST /v1/forget if a node will not come back")
	add(minute.overflowed > 0, unhealthy, fmt.Sprintf("The client table is full: %d decisions in the last minute were on clients without room in it", minute.overflowed), "a higher -max-clients, or fewer clients")
	for _, reason := range s.DegradedReasons {
		means, until := node.DescribeDegraded(reason)
		add(true, degraded, sentence(means), until)
	}
	var others []string
	for _, p := range s.Sync.Peers {
		if p.OtherLimits {
			others = append(others, p.Node)
		}
	}
	slices.Sort(others)
	add(len(others) > 0, degraded, "Nodes are configured with other limits: "+strings.Join(slices.Compact(others), ", "), "their files are equal")
	add(s.Skew > skewed, degraded, fmt.Sprintf("A clock differs by %v", s.Skew.Round(time.Millisecond)), "time synchronisation is repaired. At 1 s, nodes refuse each other's data")
	add(minute.overflowed == 0 && float64(s.Clients) > filling*float64(s.MaxClients), degraded, fmt.Sprintf("The client table fills: %d of %d", s.Clients, s.MaxClients), "a higher -max-clients")
	add(float64(minute.refused) > refusing*faultSpan.Seconds(), degraded, fmt.Sprintf("No limit decided %d requests in the last minute: %s", minute.refused, refusedFor(s)), "the callers name a limit that exists and a client")
	return h
}

// sentence is a text with a capital.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// refusedFor lists why requests were refused since the start, the most frequent first.
func refusedFor(s *node.Stats) string {
	var reasons []string
	for reason, n := range s.Refused {
		if n > 0 {
			reasons = append(reasons, reason)
		}
	}
	slices.SortFunc(reasons, func(a, b string) int { return int(s.Refused[b]) - int(s.Refused[a]) })
	return strings.Join(reasons, ", ")
}
