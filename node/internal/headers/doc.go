// Package headers writes what a decision says to an HTTP client: RateLimit-Policy and
// RateLimit of draft-ietf-httpapi-ratelimit-headers, Retry-After, and the older
// X-RateLimit fields. All doors that speak HTTP, or put fields into somebody's answer,
// write them through this package.
package headers
