package simulate

import (
	"fmt"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// describe lists pairs of a flag's name and its text. It leaves out the swept flag.
func describe(swept string, named ...string) string {
	var out []string
	for i := 0; i < len(named); i += 2 {
		if named[i] != swept && named[i+1] != "" {
			out = append(out, named[i+1])
		}
	}
	return strings.Join(out, ", ")
}

// The functions below leave out the swept flag; swept is "" if there is none.

func describeCluster(sc *sim.Scenario, swept string) string {
	l := &sc.Link
	some := func(is bool, text string, args ...any) string {
		if !is {
			return ""
		}
		return fmt.Sprintf(text, args...)
	}
	return describe(swept,
		"nodes", plural(sc.Nodes, "node"),
		"flush", fmt.Sprintf("flush %v", sc.Flush),
		"delay", fmt.Sprintf("messages take %v to %v", l.DelayMin, l.DelayMax),
		"loss", fmt.Sprintf("%.3g %% lost", 100*l.Loss),
		"duplicate", some(l.Duplicate > 0, "%.3g %% twice", 100*l.Duplicate),
		"reorder", some(l.Reorder, "out of order"),
		"bandwidth", some(l.Bandwidth > 0, "%d bytes/s", l.Bandwidth),
		"skew", some(sc.Skew > 0, "clocks off by up to %v", sc.Skew),
	)
}

func describePolicy(p node.Policy, swept string) string {
	burst, overshoot := p.Burst, p.MaxOvershoot
	if burst == 0 {
		burst = p.Limit
	}
	if overshoot == 0 {
		overshoot = node.DefaultMaxOvershoot
	}
	limit, most := fmt.Sprintf("%d per %v for each client", p.Limit, p.Window), fmt.Sprintf("burst %d", burst)
	if swept == "limit" {
		limit = fmt.Sprintf("per %v for each client", p.Window)
		if p.Burst == 0 {
			most = "burst as the limit"
		}
	}
	return describe(swept, "limit of", limit, "burst", most, "max-overshoot", fmt.Sprintf("max overshoot %g", overshoot))
}

func describeLoad(sc *sim.Scenario, swept string) string {
	rate, bursts, clients, conforming := 0.0, 0, 0, 0
	for i := range sc.Streams {
		s := &sc.Streams[i]
		clients += max(1, s.Clients)
		switch {
		case s.Conforming:
			conforming++
		case s.Burst > 0:
			bursts = max(bursts, s.Burst)
		default:
			rate += s.Rate
		}
	}
	var what, who string
	switch {
	case bursts > 0 && (swept == "burst" || swept == "limit"):
		what = "bursts at every node"
	case bursts > 0:
		what = fmt.Sprintf("bursts of %d at every node", bursts)
	}
	if rate > 0 {
		what = strings.TrimPrefix(what+fmt.Sprintf(" and %.4g requests/s", rate), " and ")
	}
	if swept == "rate" {
		what = "requests"
	}
	if swept != "clients" {
		who = " of " + plural(clients-conforming, "client")
	}
	out := fmt.Sprintf("%s%s for %v", what, who, sc.Duration)
	if conforming > 0 {
		out += ", and one that keeps to the limit"
	}
	return out
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func describeFaults(faults []sim.Fault) string {
	var out []string
	for _, f := range faults {
		text := fmt.Sprintf("%s at %v", f.Kind, round(f.At))
		if f.For > 0 {
			text += fmt.Sprintf(" for %v", round(f.For))
		}
		if len(f.Nodes) > 0 {
			text += " of " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(f.Nodes)), ","), "[]")
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, "; ")
}
