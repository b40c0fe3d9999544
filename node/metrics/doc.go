// Package metrics exports a node's Stats to Prometheus.
//
//	registry.MustRegister(metrics.New(n))
//
// Every name starts with ratelimiter_ and is there from the first scrape on, at 0
// where nothing happened yet, so that alerts need no special case. Series are
// labelled by limit, of which there are at most node.MaxLimits, and never by client.
// What is counted by the node is read when it is scraped: a decision costs nothing
// extra.
package metrics
