// Package envoy asks envoyproxy/ratelimit itself what this project's service is asked in
// tests, and compares their speed. It is a module of its own, because it needs a Redis server
// and the other service's program: `make envoy-reference`.
package envoy
