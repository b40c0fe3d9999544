package headers

import (
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// year is what a client is told that can never pass: it cannot compute with the largest
// duration. Less would make it retry in vain. From 69 years on, seconds do not fit
// into 32 bits.
const year = 365 * 24 * time.Hour

// Never reports whether a wait means that the request can never pass.
func Never(wait time.Duration) bool { return wait == math.MaxInt64 }

// Wait is how long a client is told to wait: a year of 365 days if its request can never pass.
func Wait(wait time.Duration) time.Duration {
	if Never(wait) {
		return year
	}
	return wait
}

// Seconds is a time in seconds, rounded up, so a client that waits as long is not too early.
func Seconds(d time.Duration) int64 { return Ceil(d, time.Second) }

// Ceil is a time in units, rounded up.
func Ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

// RetryAfter is the value of Retry-After for a denial, in seconds: at least 1.
func RetryAfter(d *node.Decision) int64 { return max(1, Seconds(Wait(d.RetryAfter))) }
