// Package natskv takes the limits of a cluster from a JetStream key-value bucket. Any NATS
// client can change them there, and the NATS servers keep them:
//
//	nats kv put limits limit.default '{"limit": 200, "window": 60}'
//	nats kv del limits limit.default
//
// A key is "limit." and the limit's name. A value is the body of PUT /v1/limits/NAME.
// [Watch] ignores keys that begin otherwise. It follows the bucket, and sets and deletes the
// node's limits through SetLimit and DeleteLimit. So a change takes effect on all nodes of
// the cluster at one instant, including those that do not watch.
//
// # What holds
//
// The bucket's value holds. If somebody changes such a limit in another way, as over HTTP, a
// watcher changes it back within seconds. Watchers leave limits without a key alone. Deleting
// or purging a key undoes its value, and the configured limit holds again, if there is one. A
// value that is no limit changes nothing.
//
// While the bucket or its server is away, the limits stay as they are. A watcher never gives
// up. It reads everything anew when the bucket is back. Until then it takes no missing key for
// a deletion.
//
// # One change, many watchers
//
// Every node watches, so no node is special, but one of them has to write a change. Each
// watcher waits for a random part of Config.Spread. It then looks at the limits in force and
// the changes under way, and writes only what is missing. The first change reaches the others
// within milliseconds, so they find nothing to do. If two watchers do write, they write the
// same, and only the log shows it.
package natskv
