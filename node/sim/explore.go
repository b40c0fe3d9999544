package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Exploration is a small cluster of which all behaviour is tried, up to some number of
// steps. One client asks for units under the default limit.
type Exploration struct {
	Nodes  int         // 2 or 3
	Policy node.Policy // with a small burst; see Explorations
	Depth  int         // steps, from 1
}

// Explored is the outcome of an Exploration.
type Explored struct {
	Nodes  int         `json:"nodes"`
	Policy node.Policy `json:"policy"`
	Depth  int         `json:"depth"`
	// States counts the distinct states that were reached, Steps the steps that led to a
	// state, known or not.
	States uint64 `json:"states"`
	Steps  uint64 `json:"steps"`
	// Broken counts states in which, or after a quiet from which, a promise is broken. Found
	// are the first ones, by their schedules.
	Broken uint64        `json:"broken"`
	Found  []Found       `json:"found"`
	Took   time.Duration `json:"took"` // of real time
}

// Found is a schedule that breaks a promise.
type Found struct {
	Schedule   string   `json:"schedule"` // as Exploration.Replay reads it
	Violations []string `json:"violations"`
}

// mostFound caps the schedules that an exploration keeps: the shortest ones tell most.
const mostFound = 5

// Explorations are the clusters that are explored: 2 and 3 nodes, bursts of 1 to 3, GCRA and
// windows. Nothing but B and the algorithm matters to the states, so one rate is enough.
func Explorations(depth int) []Exploration {
	var out []Exploration
	for _, nodes := range []int{2, 3} {
		for burst := int64(1); burst <= 3; burst++ {
			out = append(out, Exploration{Nodes: nodes, Depth: depth, Policy: node.Policy{Limit: 1, Window: 15 * time.Second, Burst: burst}})
		}
		out = append(out,
			Exploration{Nodes: nodes, Depth: depth, Policy: node.Policy{Algorithm: node.FixedWindow, Limit: 2, Window: 15 * time.Second}},
			Exploration{Nodes: nodes, Depth: depth, Policy: node.Policy{Algorithm: node.SlidingWindow, Limit: 2, Window: 15 * time.Second}},
		)
	}
	return out
}

// BoundedExplorations are those of bounded limits: 2 and 3 nodes, without and with an excess. A request
// asks for all that one node has.
func BoundedExplorations(depth int) []Exploration {
	var out []Exploration
	for _, nodes := range []int{2, 3} {
		for _, excess := range []float64{0, float64(nodes)} {
			burst := int64(4 * nodes)
			out = append(out, Exploration{Nodes: nodes, Depth: depth, Policy: node.Policy{
				Limit: burst, Burst: burst, Window: time.Duration(burst) * time.Second, Consistency: node.Bounded, MaxExcess: excess,
			}})
		}
	}
	return out
}

// bounded reports whether the limit is bounded.
func (x *Exploration) bounded() bool { return x.Policy.Consistency == node.Bounded }

// most is the highest number of a node: one more can join where that matters.
func (x *Exploration) most() int {
	if x.bounded() {
		return x.Nodes + 1
	}
	return x.Nodes
}

// Run tries all schedules of the exploration's depth, breadth first, on workers goroutines,
// until ctx ends. Of schedules that lead to one state it follows the first. A state's
// successors are found by playing its schedule again, since nodes cannot be copied. The
// result depends on the exploration alone. progress, if not nil, hears of each level.
func (x Exploration) Run(ctx context.Context, workers int, progress func(depth int, states uint64)) Explored {
	began := time.Now()
	out := Explored{Nodes: x.Nodes, Policy: x.Policy, Depth: x.Depth}
	known := map[digest]bool{}
	level := [][]step{nil}
	for depth := 0; depth <= x.Depth && len(level) > 0 && ctx.Err() == nil; depth++ {
		// Of one level, all schedules are played at the same time, but looked at in order.
		played := make([]visit, len(level))
		var next atomic.Int64
		var all sync.WaitGroup
		for range max(1, workers) {
			all.Go(func() {
				for i := next.Add(1) - 1; int(i) < len(level) && ctx.Err() == nil; i = next.Add(1) - 1 {
					played[i] = x.visit(level[i])
				}
			})
		}
		all.Wait()
		var deeper [][]step
		for i, v := range played {
			if v.violations == nil && v.state == (digest{}) {
				continue // ctx ended
			}
			out.Steps++
			if known[v.state] {
				continue
			}
			known[v.state] = true
			out.States++
			if len(v.violations) > 0 {
				out.Broken++
				if len(out.Found) < mostFound {
					out.Found = append(out.Found, Found{scheduleOf(level[i]), v.violations})
				}
				continue // what follows is broken as well
			}
			for _, s := range v.enabled {
				deeper = append(deeper, append(slices.Clip(slices.Clone(level[i])), s))
			}
		}
		if progress != nil {
			progress(depth, out.States)
		}
		level = deeper
	}
	out.Took = time.Since(began)
	return out
}

// Replay plays one schedule, as Found has it, and then the quiet. It returns what is
// broken.
func (x Exploration) Replay(schedule string) ([]string, error) {
	var steps []step
	for word := range strings.FieldsSeq(schedule) {
		s, err := parseStep(word)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return x.visit(steps).violations, nil
}

// visit is what is found at the end of a schedule.
type visit struct {
	state      digest
	enabled    []step
	violations []string
}

// visit plays a schedule, describes the state that it leads to, and then lets the cluster
// come to rest, to see whether it agrees.
func (x Exploration) visit(steps []step) visit {
	e, err := newExplorer(&x)
	if err != nil {
		return visit{violations: []string{err.Error()}}
	}
	for _, s := range steps {
		e.play(s)
	}
	v := visit{state: e.digest(), enabled: e.enabled(), violations: e.w.result.Violations}
	if len(v.violations) == 0 {
		e.rest()
		v.violations = e.w.result.Violations
	}
	return v
}

// step is one step of a schedule: what happens, and to which nodes, by their numbers.
type step struct {
	kind stepKind
	a, b int8
}

type stepKind byte

// The steps.
const (
	stepAdmit   stepKind = 'a' // node a is asked for one unit
	stepSend    stepKind = 's' // node a flushes
	stepDeliver stepKind = 'd' // the oldest message from a to b arrives
	stepLose    stepKind = 'l' // the oldest message from a to b is lost
	stepPass    stepKind = 'p' // messages arrive, and a second passes
	stepRoll    stepKind = 'r' // messages arrive, and the next window begins
	stepCut     stepKind = 'x' // node a is cut off, or no node is any more
	stepCrash   stepKind = 'c' // node a dies without a bye
	stepBye     stepKind = 'b' // node a leaves
	stepJoin    stepKind = 'j' // node a starts again
	stepReset   stepKind = 'z' // the client is reset at node a
	stepChange  stepKind = 'k' // the limit changes, told to node a
	stepRefund  stepKind = 'f' // node a gives its oldest reservation back
	stepNew     stepKind = 'n' // one more node joins, which the others do not list
	stepStrike  stepKind = 'o' // node a dies, and another one strikes it off the roster
)

// caps are how often a step may be in one schedule. More of these are of little interest,
// and multiply the states.
var caps = map[stepKind]int{
	stepPass: 3, stepRoll: 2, stepCut: 2, stepCrash: 2, stepBye: 2, stepJoin: 2, stepReset: 1, stepChange: 1, stepRefund: 2, stepNew: 1, stepStrike: 1,
}

func (s step) String() string {
	switch {
	case s.a == 0:
		return string(s.kind)
	case s.b == 0:
		return fmt.Sprintf("%c%d", s.kind, s.a)
	}
	return fmt.Sprintf("%c%d%d", s.kind, s.a, s.b)
}

func parseStep(word string) (step, error) {
	s := step{kind: stepKind(word[0])}
	if !strings.ContainsRune("asdlprxcbjzkfno", rune(word[0])) || len(word) > 3 {
		return s, fmt.Errorf("sim: no step is called %q", word)
	}
	for i, into := range []*int8{&s.a, &s.b} {
		if len(word) > i+1 {
			*into = int8(word[i+1]) - '0'
		}
	}
	return s, nil
}

func scheduleOf(steps []step) string {
	var words []string
	for _, s := range steps {
		words = append(words, s.String())
	}
	return strings.Join(words, " ")
}
