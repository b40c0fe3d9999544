package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// topLists are a limit's heaviest and most denied clients, as GET /v1/top answers.
type topLists struct {
	Limit      string      `json:"limit"`
	Heaviest   []topClient `json:"heaviest"`
	MostDenied []topClient `json:"most_denied"`
}

type topClient struct {
	Client  string            `json:"client"`
	Allowed uint64            `json:"allowed_units"`
	Denied  uint64            `json:"denied_units"`
	Cluster uint64            `json:"cluster_units"`
	Nodes   map[string]uint64 `json:"nodes"`
}

func top(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	and := ""
	c.Add(&and, "and", "`URL,...` of further nodes, whose counts are added; names that a node hides cannot be")
	return func(ctx context.Context) error {
		path := "/v1/top?" + query("", *limit).Encode()
		var all []topLists
		for _, addr := range append([]string{c.api.addr}, strings.FieldsFunc(and, func(r rune) bool { return r == ',' })...) {
			one := *c.api
			one.addr = addr
			if err := one.open(); err != nil {
				return err
			}
			got, err := one.call(ctx, http.MethodGet, path, nil)
			if err != nil {
				return err
			}
			var lists topLists
			if err := json.Unmarshal(got.body, &lists); err != nil {
				return fmt.Errorf("the answer of %s is no list of clients: %w", one.addr, err)
			}
			all = append(all, lists)
		}
		sum := addUp(all)
		return c.format.Print(c.stdout, sum, sum.print)
	}
}

// addUp adds up what several nodes decided. Each of them also knows what the whole cluster
// admitted: of these numbers the largest is the newest.
func addUp(all []topLists) *topLists {
	clients := map[string]*topClient{}
	for _, lists := range all {
		seen := map[string]bool{} // a client may be in both lists of a node
		for _, c := range slices.Concat(lists.Heaviest, lists.MostDenied) {
			if seen[c.Client] {
				continue
			}
			seen[c.Client] = true
			sum := clients[c.Client]
			if sum == nil {
				sum = &topClient{Client: c.Client}
				clients[c.Client] = sum
			}
			sum.Allowed, sum.Denied = sum.Allowed+c.Allowed, sum.Denied+c.Denied
			if sum.Nodes == nil || c.Cluster > sum.Cluster {
				sum.Cluster, sum.Nodes = c.Cluster, c.Nodes
			}
		}
	}
	out := &topLists{Limit: all[0].Limit, Heaviest: []topClient{}, MostDenied: []topClient{}}
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		c := *clients[name]
		if out.Heaviest = append(out.Heaviest, c); c.Denied > 0 {
			out.MostDenied = append(out.MostDenied, c)
		}
	}
	slices.SortStableFunc(out.Heaviest, func(a, b topClient) int { return cmp.Compare(b.Allowed+b.Denied, a.Allowed+a.Denied) })
	slices.SortStableFunc(out.MostDenied, func(a, b topClient) int { return cmp.Compare(b.Denied, a.Denied) })
	return out
}

func (l *topLists) print(w io.Writer) error {
	if len(l.Heaviest) == 0 {
		_, err := fmt.Fprintf(w, "nobody has asked for %s\n", l.Limit)
		return err
	}
	for i, list := range []struct {
		title   string
		clients []topClient
	}{{"HEAVIEST", l.Heaviest}, {"MOST DENIED", l.MostDenied}} {
		if len(list.clients) == 0 {
			continue
		}
		if i > 0 {
			say(w, "\n")
		}
		var t output.Table
		t.Row(list.title, "UNITS ALLOWED", "UNITS DENIED", "CLUSTER NOW", "BY NODE")
		for _, c := range list.clients {
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
				parts = append(parts, fmt.Sprintf("%s=%d", cmp.Or(name, "unknown"), c.Nodes[name]))
			}
			t.Row(c.Client, c.Allowed, c.Denied, c.Cluster, strings.Join(parts, " "))
		}
		if err := t.Print(w); err != nil {
			return err
		}
	}
	return nil
}
