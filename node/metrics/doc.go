// Package metrics exports a node's Stats to Prometheus.
//
//	registry.MustRegister(metrics.New(n))
//
// Every name starts with ratelimiter_. Every metric exists from the first scrape on, so
// an alert needs no special case for a value that is not there yet. Series carry the
// limit as a label, at most node.MaxLimits of them, and never the client. The collector
// reads the node's counters when Prometheus scrapes, so it adds nothing to a decision.
//
// docs/alerts.md says which metrics to alert on, and at which threshold.
package metrics
