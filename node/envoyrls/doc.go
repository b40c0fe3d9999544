// Package envoyrls is Envoy's rate limit service (envoy.service.ratelimit.v3) on a node of
// this limiter. It reads the rules of envoyproxy/ratelimit from the same files.
//
//	rules, err := envoyrls.Read(files, envoyrls.Options{})
//	...
//	service := envoyrls.New(envoyrls.Config{Node: n, Rules: rules})
//	service.Register(grpcServer)
//
// # Model
//
// A request has descriptors, and each descriptor has entries of a key and a value. A domain's
// rules are a tree of such entries. The rule at the end of a descriptor's entries says how
// much the bucket of these entries lets pass. A descriptor without a rule passes.
//
// # Charging
//
// Descriptors without a hits_addend of their own are one decision: the node charges all of
// them, or none if one of them denies. A bucket is GCRA with a burst of requests_per_unit. A
// descriptor with a hits_addend of 0 looks: it is OK while the bucket is at most at its limit.
// A descriptor with a larger one is decided by itself, and charged in full even if it is over:
// a debt, which node.Node.Charge caps. That is how Envoy charges what an answer cost after it
// was sent. Rules with quota_mode are each charged by themselves, in full and always. With
// is_negative_hits, units come back.
//
// The request is over its limits if a descriptor without quota_mode is, or if all that have it
// are.
//
// A rule's metadata may hold a mapping "ratelimiter" with burst, algorithm, resolution,
// on_isolation, and charge: admitted for charges that never go beyond the limit.
//
// # Guarantee
//
// Nothing waits for the network, but descriptors that give back. How far several nodes can
// admit beyond the limit is as in package node.
package envoyrls
