package metrics

import "github.com/prometheus/client_golang/prometheus"

// metric is one name with its help and type.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (m metric) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

func define(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{desc: prometheus.NewDesc("ratelimiter_"+name, help, labels, nil), kind: kind}
}

func counter(name, help string, labels ...string) metric {
	return define(prometheus.CounterValue, name, help, labels...)
}

func gauge(name, help string, labels ...string) metric {
	return define(prometheus.GaugeValue, name, help, labels...)
}

// By limit.
var (
	decisions         = counter("decisions_total", "Decisions made on this node, by outcome: allowed or denied.", "limit", "outcome")
	units             = counter("units_total", "Cost of the decisions made on this node.", "limit", "outcome")
	overshootBound    = gauge("overshoot_bound_units", "The most that the cluster can have over-admitted one client by right now, from measured staleness and skew.", "limit")
	overshootObserved = counter("overshoot_observed_units_total", "Over-admission that merging peers' totals revealed.", "limit")
	overshootPeak     = gauge("overshoot_peak_units", "The most over-admission of one client that merging revealed since the start.", "limit")
	shadowDenied      = counter("shadow_denied_total", "Decisions of a shadow limit that let pass what it would have denied.", "limit")
	shadowUnits       = counter("shadow_denied_units_total", "Cost of what a shadow limit would have denied.", "limit")
	limitSet          = gauge("limit_set", "1 if the limit was set on some node, and shadows what is configured.", "limit")
	limitUnits        = gauge("limit_units", "Units that a client may use in a window.", "limit")
	limitBurst        = gauge("limit_burst_units", "Units that may pass at one instant.", "limit")
	limitWindow       = gauge("limit_window_seconds", "The limit's window.", "limit")
	limitRevision     = gauge("limit_revision_timestamp_seconds", "Since when the limit is what it is, 0 if it is as configured. Differs between nodes that do not agree.", "limit")
)

// Of the node.
var (
	decisionDuration = metric{desc: prometheus.NewDesc("ratelimiter_decision_duration_seconds", "Time that a decision took; a sample of all.", nil, nil)}
	clients          = gauge("clients", "Clients held, over all limits.")
	maxClients       = gauge("max_clients", "Clients that are held at most.")
	overflow         = counter("overflow_decisions_total", "Decisions on unknown clients made while the client table was full.")
	refused          = counter("refused_requests_total", "Requests that no limit decided, by reason.", "reason")
	ready            = gauge("ready", "1 once the node has joined its cluster.")
	degraded         = gauge("degraded", "1 while the node cannot hear, or is not heard by, a peer.")
	members          = gauge("members", "Nodes of the cluster, silent ones included until they say bye.")
	visible          = gauge("members_visible", "Nodes of the cluster that hear each other, with this one.")
	otherwise        = gauge("peers_configured_otherwise", "Peers whose configured limits are not this node's: they never agree on what is too much.")
	differing        = gauge("peers_limits_differ", "Peers that know of other changes of limits than this node; passing where one is under way.")
	isolated         = gauge("isolated", "1 while some node of the cluster cannot be heard, or does not hear this one: the limits' on_isolation applies.")
	clockAhead       = gauge("clock_ahead_seconds", "How far the node's time is ahead of the wall clock, being slowed down.")
)

// Of the replication.
var (
	connected       = gauge("nats_connected", "1 while the node is connected to NATS; 0 also for a node without.")
	peers           = gauge("peers", "Other replicas known, by state: alive, suspect or gone.", "state")
	staleness       = gauge("staleness_seconds", "Age of what is known of the peer of which least is known; +Inf if nothing is.")
	clockSkew       = gauge("clock_skew_seconds", "The largest estimated offset of a peer's clock, without its sign.")
	messages        = counter("sync_messages_total", "Messages between nodes, by direction and kind.", "direction", "kind")
	bytes           = counter("sync_bytes_total", "Bytes of messages between nodes, by direction and kind.", "direction", "kind")
	rows            = counter("sync_rows_total", "Clients' totals in messages between nodes.", "direction")
	droppedMessages = counter("sync_dropped_messages_total", "Messages that were thrown away on arrival, by reason.", "reason")
	lostRows        = counter("sync_lost_rows_total", "Clients' totals from peers that were not taken over, by reason.", "reason")
	gaps            = counter("sync_gaps_total", "Sequences of a peer's messages with something missing.")
	mismatches      = counter("sync_mismatches_total", "Digests that differed from a peer's without a gap.")
	repairs         = counter("sync_repairs_total", "Requests to peers for what is missing.")
	timeouts        = counter("sync_timeouts_total", "Requests to peers that were not answered in time.")
	publishErrors   = counter("sync_publish_errors_total", "Messages that could not be handed to NATS.")
)

// all is what Describe lists.
var all = []metric{
	decisions, units, overshootBound, overshootObserved, overshootPeak, shadowDenied, shadowUnits, limitSet, limitUnits, limitBurst, limitWindow, limitRevision,
	decisionDuration, clients, maxClients, overflow, refused, ready, degraded, otherwise, differing, isolated, members, visible, clockAhead,
	connected, peers, staleness, clockSkew, messages, bytes, rows, droppedMessages, lostRows,
	gaps, mismatches, repairs, timeouts, publishErrors,
}
