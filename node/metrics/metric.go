package metrics

import "github.com/prometheus/client_golang/prometheus"

// metric is one name with its help text, its labels and its type. Its type lets send need no case.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// send sends one series. It panics if the labels are not those of define, which any test finds.
func (m metric) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

// prefix begins all names.
const prefix = "ratelimiter_"

// peersNamed caps the peers that have series of their own. Raising it costs two series a peer on each
// node, so as many as the square of the nodes.
const peersNamed = 100

// define makes a metric.
func define(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{desc: prometheus.NewDesc(prefix+name, help, labels, nil), kind: kind}
}

func counter(name, help string, labels ...string) metric {
	return define(prometheus.CounterValue, name, help, labels...)
}

func gauge(name, help string, labels ...string) metric {
	return define(prometheus.GaugeValue, name, help, labels...)
}

// Each limit has one series of these, or one for each outcome or override. The number of limits and
// of override names is capped, and with it the number of series.
var (
	decisions             = counter("decisions_total", "Decisions of this node, by outcome: allowed or denied.", "limit", "outcome")
	units                 = counter("units_total", "Cost of this node's decisions, by outcome.", "limit", "outcome")
	overshootBound        = gauge("overshoot_bound_units", "The most units that the cluster can have admitted to one client beyond the limit by now, from measured staleness and skew. +Inf if the node does not know.", "limit")
	overshootExpected     = gauge("overshoot_expected_units", "What to expect that the cluster admits to the heaviest client beyond the limit: an estimate, at its present rate.", "limit")
	wronglyDeniedBound    = gauge("wrongly_denied_bound_units", "How many units of room a client can have at most when this node denies it something.", "limit")
	wronglyDeniedExpected = gauge("wrongly_denied_expected_units", "How many units of room to expect when this node denies its heaviest client something: an estimate.", "limit")
	overshootOnce         = counter("overshoot_once_units_total", "What the bound held for what came once, since the start of this node, by reason: a crash, a long cut, a join, a restart, a change of the limit that was heard late.", "limit", "reason")
	overshootObserved     = counter("overshoot_observed_units_total", "Units beyond the limit that this node found when it merged its peers' totals.", "limit")
	overshootPeak         = gauge("overshoot_peak_units", "The most units beyond the limit that this node found for one client since its start.", "limit")
	shadowDenied          = counter("shadow_denied_total", "Decisions that a shadow limit allowed and would otherwise have denied.", "limit")
	shadowUnits           = counter("shadow_denied_units_total", "Cost of the decisions that a shadow limit allowed and would otherwise have denied.", "limit")
	oddAddresses          = counter("odd_addresses_total", "Requests whose client id looks like an address and is none, such as a list of addresses, under a limit that reads ids as addresses.", "limit")
	doorDecisions         = counter("door_decisions_total", "The decisions of decisions_total, by the way that requests came in: http, grpc, nats, forward for a proxy that asks, or go for the program itself.", "limit", "door", "outcome")
	overrideDecisions     = counter("override_decisions_total", "The decisions of decisions_total, by the name of the override that holds for the client. The name is empty for unnamed overrides and for all other clients.", "limit", "override", "outcome")
	overrideUnits         = counter("override_units_total", "The units of units_total, by the name of the override.", "limit", "override", "outcome")
	overrideShadow        = counter("override_shadow_denied_total", "The decisions of shadow_denied_total, by the name of the override.", "limit", "override")
	chargedUnits          = counter("charged_units_total", "Units charged after the work was done, by charges and by reservations that cost more than their estimate.", "limit")
	notChargedUnits       = counter("not_charged_units_total", "Units of such charges that this node left out, because they were above the client's debt cap, or because the client table was full.", "limit")
	rightsShort           = counter("bounded_short_total", "Requests that a bounded limit denied because this node held no right to what was left.", "limit")
	rightsHeld            = counter("bounded_held_total", "Requests for a bounded limit that waited at a door for loans, whatever the decision was then.", "limit")
	rightsAsked           = counter("bounded_asked_total", "Questions to other nodes for loans of a bounded limit, one for each client.", "limit")
	rightsLent            = counter("bounded_lent_units_total", "Units that this node lent to others under a bounded limit.", "limit")
	rightsBorrowed        = counter("bounded_borrowed_units_total", "Units that this node borrowed from others under a bounded limit.", "limit")
	rightsExpired         = counter("bounded_expired_units_total", "Of the borrowed units, those that were not used in time.", "limit")
	limitSet              = gauge("limit_set", "1 if somebody set the limit on some node, so that it shadows the configured one.", "limit")
	limitUnits            = gauge("limit_units", "Units that a client may use in a window.", "limit")
	limitBurst            = gauge("burst_units", "Units that may pass at one instant.", "limit")
	limitWindow           = gauge("window_seconds", "The limit's window.", "limit")
	limitRevision         = gauge("limit_revision_timestamp_seconds", "Time from which the limit's revision holds, 0 for the configured one. Nodes that agree export the same.", "limit")
)

// These describe the node.
var (
	decisionDuration = metric{desc: prometheus.NewDesc(prefix+"decision_duration_seconds", "Time that a decision took, without HTTP. The node times a sample of all decisions.", nil, nil)}
	clients          = gauge("clients", "Clients in the table, over all limits.")
	maxClients       = gauge("max_clients", "The most clients that the table holds.")
	overflow         = counter("overflow_decisions_total", "Decisions on unknown clients while the client table was full.")
	holding          = gauge("bounded_holding_requests", "Requests for bounded limits that wait at doors of this node now, at most 16384.")
	refused          = counter("refused_requests_total", "Requests that no limit decided, by reason.", "reason")
	ready            = gauge("ready", "1 once the node has joined its cluster.")
	degraded         = gauge("degraded", "1 while the bounds of this node are wide or unknown, or may be too small, for this reason.", "reason")
	members          = gauge("members", "Nodes of the cluster, with silent ones that have not said bye.")
	visible          = gauge("members_visible", "Nodes of the cluster that hear each other, with this one.")
	otherwise        = gauge("peers_configured_otherwise", "Peers that decide by other limits than this node, because their configuration differs.")
	differing        = gauge("peers_limits_differ", "Peers that know of other changes of limits than this node. Above 0 for a moment after each change.")
	isolated         = gauge("isolated", "1 while this node and some member do not hear each other, so that each limit's on_isolation applies.")
	clockAhead       = gauge("clock_ahead_seconds", "How far the node's time is ahead of the wall clock. The node slows its time down until they agree.")
)

// These describe the replication.
var (
	connected       = gauge("nats_connected", "1 while the node is connected to NATS. 0 also for a node without a network.")
	peers           = gauge("peers", "Known peers, by state: alive, suspect or gone.", "state")
	staleness       = gauge("staleness_seconds", "Age of the oldest data held from any peer, in seconds; +Inf before a peer's data is complete.")
	peerStaleness   = gauge("peer_staleness_seconds", "Age of the data held from a peer; +Inf before that is complete. Peers that can be admitting, at most 100.", "peer")
	peerSkew        = gauge("peer_clock_skew_seconds", "A peer's clock minus this node's, estimated. Peers that can be admitting, at most 100.", "peer")
	clockSkew       = gauge("clock_skew_seconds", "The largest estimated difference between a peer's clock and this node's, without its sign.")
	messages        = counter("sync_messages_total", "Messages between nodes, by direction and kind.", "direction", "kind")
	bytes           = counter("sync_bytes_total", "Bytes of messages between nodes, by direction and kind.", "direction", "kind")
	rows            = counter("sync_rows_total", "Rows in messages between nodes, by direction. A row holds one client's totals.", "direction")
	droppedMessages = counter("sync_dropped_messages_total", "Messages that this node dropped on arrival, by reason.", "reason")
	lostRows        = counter("sync_lost_rows_total", "Rows from peers that this node could not merge, by reason.", "reason")
	gaps            = counter("sync_gaps_total", "Times that numbers were missing between two messages of a peer.")
	mismatches      = counter("sync_mismatches_total", "Digests that differed from a peer's although no message was missing.")
	repairs         = counter("sync_repairs_total", "Requests to peers for missing rows.")
	timeouts        = counter("sync_timeouts_total", "Requests that a peer did not answer in time.")
	publishErrors   = counter("sync_publish_errors_total", "Messages that NATS did not accept from this node, or not in time.")
)

// all lists the metrics for Describe. A test compares it with what Collect sends.
var all = []metric{
	decisions, units, overshootBound, overshootExpected, wronglyDeniedBound, wronglyDeniedExpected, overshootOnce, overshootObserved, overshootPeak, shadowDenied, shadowUnits, doorDecisions, overrideDecisions, overrideUnits, overrideShadow, oddAddresses, chargedUnits, notChargedUnits, rightsShort, rightsHeld, rightsAsked, rightsLent, rightsBorrowed, rightsExpired, limitSet, limitUnits, limitBurst, limitWindow, limitRevision,
	decisionDuration, clients, maxClients, overflow, holding, refused, ready, degraded, otherwise, differing, isolated, members, visible, clockAhead,
	connected, peers, staleness, peerStaleness, clockSkew, peerSkew, messages, bytes, rows, droppedMessages, lostRows,
	gaps, mismatches, repairs, timeouts, publishErrors,
}
