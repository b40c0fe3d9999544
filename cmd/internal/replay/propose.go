package replay

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/oracle"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Proposal is the smallest limit that a share of the clients never meets, and what it costs. Its
// burst is the limit. Its JSON field names are a contract.
type Proposal struct {
	WindowMS float64 `json:"window_ms"`
	Percent  float64 `json:"percent"` // of the clients that never meet it, at least
	Limit    int64   `json:"limit"`

	// One central limiter would deny Denied requests, of Clients clients. Most is how many of them
	// the client with the most denials has, which is Heaviest.
	Denied   int    `json:"denied"`
	Clients  int    `json:"clients_limited"`
	Most     int    `json:"most_denied"`
	Heaviest string `json:"heaviest,omitempty"`
	// Bound is the most that the nodes can admit to one client beyond the limit, in units.
	Bound float64 `json:"bound_units"`
}

// Choices say for which windows and shares to propose limits.
type Choices struct {
	Windows  Windows
	Percents Percents
}

// Windows are window lengths. It is a flag.Value: "1s,1m,1h".
type Windows []time.Duration

// Percents are shares of clients. It is a flag.Value: "95,99,100", or "none".
type Percents []float64

// DefaultChoices are the choices if the caller has none.
func DefaultChoices() Choices {
	return Choices{Windows{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour}, Percents{95, 99, 99.9, 100}}
}

// mostChoices caps the windows, and the shares. Each window takes time with every request:
// raising it makes a replay slower, lowering it a table shorter.
const mostChoices = 20

// String implements flag.Value.
func (w Windows) String() string {
	var all []string
	for _, d := range w {
		all = append(all, limit.Span(d))
	}
	return strings.Join(all, ",")
}

// Set implements flag.Value.
func (w *Windows) Set(text string) error {
	var all Windows
	for part := range strings.SplitSeq(text, ",") {
		d, err := time.ParseDuration(part)
		if err != nil || d < time.Millisecond || d > 366*24*time.Hour || len(all) == mostChoices {
			return fmt.Errorf("must be at most %d durations such as 1s,1m,1h, from 1ms to 8784h", mostChoices)
		}
		all = append(all, d)
	}
	*w = all
	return nil
}

// String implements flag.Value.
func (p Percents) String() string {
	var all []string
	for _, x := range p {
		all = append(all, strconv.FormatFloat(x, 'f', -1, 64))
	}
	return strings.Join(all, ",")
}

// Set implements flag.Value.
func (p *Percents) Set(text string) error {
	if text == "none" {
		*p = nil
		return nil
	}
	var all Percents
	for part := range strings.SplitSeq(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSuffix(part, "%"), 64)
		if err != nil || !(x > 0 && x <= 100) || len(all) == mostChoices {
			return fmt.Errorf("must be none, or at most %d percentages such as 95,99,100, above 0 and at most 100", mostChoices)
		}
		all = append(all, x)
	}
	*p = all
	return nil
}

// times are the requests of each client, in order: those of client i are of[from[i]:from[i+1]].
type times struct {
	of   []int64
	from []int
}

func newTimes(log *Log, keys []int, n int) times {
	t := times{of: make([]int64, len(log.Requests)), from: make([]int, n+1)}
	for _, q := range log.Requests {
		t.from[keys[q.Client]+1]++
	}
	for i := range n {
		t.from[i+1] += t.from[i]
	}
	next := slices.Clone(t.from)
	for _, q := range log.Requests {
		k := keys[q.Client]
		t.of[next[k]] = q.At
		next[k]++
	}
	return t
}

func (t *times) client(i int) []int64 { return t.of[t.from[i]:t.from[i+1]] }

// propose finds the limits. names are the clients' names. progress is called after each window.
func propose(t times, names []string, c Choices, nodes int, delta time.Duration, progress func(done, total int) error) ([]Proposal, error) {
	var out []Proposal
	for i, window := range c.Windows {
		if err := progress(i, len(c.Windows)); err != nil {
			return nil, err
		}
		least := make([]int64, len(names))
		for k := range names {
			var err error
			if least[k], err = leastLimit(t.client(k), window); err != nil {
				return nil, err
			}
		}
		sorted := slices.Sorted(slices.Values(least))
		for _, percent := range c.Percents {
			// The smallest value that is at least that share of the clients' own.
			at := int(math.Ceil(percent/100*float64(len(sorted))-1e-9)) - 1
			p := Proposal{WindowMS: milliseconds(window), Percent: percent, Limit: sorted[max(0, at)]}
			l, err := central(p.Limit, window)
			if err != nil {
				return nil, err
			}
			for k := range names {
				if least[k] <= p.Limit {
					continue
				}
				denied := denials(l, t.client(k))
				p.Denied += denied
				p.Clients++
				if denied > p.Most {
					p.Most, p.Heaviest = denied, names[k]
				}
			}
			p.Bound = float64(nodes-1) * (float64(p.Limit) + float64(p.Limit)*float64(delta)/float64(window))
			out = append(out, p)
		}
	}
	return out, nil
}

// central is one central limiter of a limit and a burst of the same size.
func central(n int64, window time.Duration) (*oracle.Limit, error) {
	return oracle.New(limit.Policy{Limit: n, Window: window})
}

// denials counts the requests that a limiter would deny.
func denials(l *oracle.Limit, all []int64) (n int) {
	m := l.NewMeter(0)
	for _, t := range all {
		if m.Fits(t, 1) {
			m.Add(t, 1)
		} else {
			n++
		}
	}
	return n
}

// leastLimit is the smallest limit under which none of the requests is denied. A client with k
// requests in a stretch of d needs a limit of at least k / (1 + d/window), for each of its
// stretches; their largest is found by halving, and then made sure of by the limiter itself.
func leastLimit(all []int64, window time.Duration) (int64, error) {
	low, high := int64(1), int64(len(all)) // one request always fits, and all at once fit into a burst of all
	for low < high {
		middle := (low + high) / 2
		if conforms(all, float64(middle), float64(window)) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	for ; low < int64(len(all)); low++ { // conforms rounds, in the last digit
		l, err := central(low, window)
		if err != nil {
			return 0, err
		}
		if denials(l, all) == 0 {
			break
		}
	}
	return low, nil
}

// conforms reports whether no request is denied under a limit, up to rounding: the leaky bucket
// in floating point, with a hair to spare.
func conforms(all []int64, limit, window float64) bool {
	level, last, rate := 0.0, all[0], limit/window
	for _, t := range all {
		level = max(0, level-float64(t-last)*rate) + 1
		if last = t; level > limit+1e-6 {
			return false
		}
	}
	return true
}
