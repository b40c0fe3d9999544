// Package natskv takes the limits of a cluster from a JetStream key-value bucket, so
// that they can be changed with any NATS client and are kept by the NATS servers:
//
//	nats kv put limits limit.default '{"limit": 200, "window": 60}'
//	nats kv del limits limit.default
//
// The key is "limit." and the limit's name, the value what PUT /v1/limits/NAME takes.
// Keys that begin otherwise are ignored. [Watch] follows the bucket and brings a node
// to what it says, through the node's own SetLimit and DeleteLimit: so a change takes
// effect on all nodes of the cluster at one instant, those included that do not watch.
//
// # Whose word holds
//
// What the bucket has a value for, holds: a limit that is changed otherwise, as over
// HTTP, is changed back within seconds. What the bucket has no key for is left alone. A
// key that is deleted or purged takes back what was set before, and the configured
// limit holds again, if there is one. A value that is no limit changes nothing.
//
// When the bucket or its server is away the limits stay as they are. A watcher never
// gives up, and reads everything anew when it is back; until then nothing that is
// missing counts as deleted.
//
// # One change, many watchers
//
// Every node watches, so that none is special; but a change is to be written once. Each
// waits for a random part of [Config.Spread], looks at what is in force or known to come,
// and writes only what is not there yet. The first one's change reaches the others
// within milliseconds, so the rest find nothing to do. If two do write, they write the
// same, and nobody notices but the log.
package natskv
