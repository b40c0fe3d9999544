package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// mostKeys is the most labels for a rule's keys; the last one has the rest. Values with dots in them
// make several labels, as there. Raising it lets clients' values make up more names of labels;
// lowering it joins the keys of deep rules.
const mostKeys = 10

// envoyStats exports the hits by rule under the names that envoyproxy/ratelimit's exporter
// gives them, so that its dashboards go on: the labels are domain, key1, key2 and so on.
type envoyStats struct{ envoy *envoy }

// Describe describes nothing: which labels there are depends on how deep rules are.
func (envoyStats) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c envoyStats) Collect(out chan<- prometheus.Metric) {
	for _, r := range c.envoy.service.Stats() {
		names, values := []string{"domain"}, []string{r.Domain}
		for i, key := range strings.SplitN(r.Rule, ".", mostKeys) {
			names, values = append(names, fmt.Sprint("key", i+1)), append(values, key)
		}
		for _, m := range hits(&r) {
			desc := prometheus.NewDesc("ratelimit_service_rate_limit_"+m.name, m.help, names, nil)
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(m.value), values...)
		}
	}
	for name, value := range map[string]uint64{"success": c.envoy.loads.Load(), "error": c.envoy.faults.Load()} {
		desc := prometheus.NewDesc("ratelimit_service_config_load_"+name, "Times that rules were loaded, by result.", nil, nil)
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value))
	}
}

// hit is one number of a rule.
type hit struct {
	name, help string
	value      uint64
}

func hits(r *envoyrls.RuleStats) []hit {
	return []hit{
		{"total_hits", "Units that were asked for, by rule.", r.Total},
		{"within_limit", "Units that were within the limit, by rule.", r.Within},
		{"near_limit", "Units beyond four fifths of the limit, by rule.", r.Near},
		{"over_limit", "Units beyond the limit, by rule.", r.Over},
		{"shadow_mode", "Units beyond the limit that shadow_mode let pass, by rule.", r.Shadow},
	}
}
