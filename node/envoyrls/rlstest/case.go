// Package rlstest asks rate limit services of Envoy what they answer in a hundred cases, with
// the client that Envoy's control plane generates. It is for tests: this service has to give
// the answers of cases.txt, and envoyproxy/ratelimit shows where it differs.
package rlstest

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed cases.txt
var cases string

// Case is some rules, and what is asked of them.
type Case struct {
	Name string
	// Domain is asked for. It is the case's own, unless the case is about domains.
	Domain string
	// Own is the case's own domain, that of its rules.
	Own string
	// Descriptors are the rules, in YAML.
	Descriptors string
	// Only says that the tested version of envoyproxy/ratelimit cannot read the rules.
	Only bool
	Asks []Ask
}

// Ask is a request that is repeated, and the last answer.
type Ask struct {
	Line  int
	Hits  uint32
	Times int
	// Descriptors are written as cases.txt says.
	Descriptors []string
	Is          string
	// There is what envoyproxy/ratelimit answers, and Because names the reason. They are empty
	// if it answers alike.
	There, Because string
}

// File is the case's file of rules.
func (c *Case) File() (name, text string) {
	return c.Own + ".yaml", "domain: " + c.Own + "\ndescriptors:\n" + c.Descriptors
}

// Cases are all cases. The error says where cases.txt is malformed.
func Cases() ([]Case, error) {
	var all []Case
	for n, line := range strings.Split(cases, "\n") {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			own := fmt.Sprintf("case-%d", len(all)+1)
			all = append(all, Case{Name: name, Domain: own, Own: own})
			continue
		}
		if len(all) == 0 || strings.TrimSpace(line) == "" {
			continue
		}
		if err := all[len(all)-1].add(n+1, line); err != nil {
			return nil, fmt.Errorf("cases.txt:%d: %w", n+1, err)
		}
	}
	return all, nil
}

// add adds a line to the case.
func (c *Case) add(n int, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if word == "-" || word == "" {
		c.Descriptors += "  " + line + "\n"
		return nil
	}
	if word == "ask" {
		ask := Ask{Line: n, Times: 1}
		for f := range strings.FieldsSeq(rest) {
			if hits, ok := strings.CutPrefix(f, "hits="); ok {
				value, err := strconv.ParseUint(hits, 10, 32)
				if err != nil {
					return err
				}
				ask.Hits = uint32(value)
			} else if times, err := strconv.Atoi(strings.TrimPrefix(f, "x")); err == nil && f[0] == 'x' {
				ask.Times = times
			} else {
				ask.Descriptors = append(ask.Descriptors, f)
			}
		}
		c.Asks = append(c.Asks, ask)
		return nil
	}
	switch word {
	case "only":
		c.Only = true
		return nil
	case "domain":
		c.Domain = rest
		return nil
	}
	if len(c.Asks) == 0 {
		return fmt.Errorf("%q answers nothing", word)
	}
	ask := &c.Asks[len(c.Asks)-1]
	switch word {
	case "is":
		ask.Is = rest
	case "there":
		ask.There = rest
	case "because":
		ask.Because = rest
	default:
		return fmt.Errorf("%q is no beginning of a line", word)
	}
	return nil
}
