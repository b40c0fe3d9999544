//go:build race

package envoyrls_test

// forgotten is how many allocations a request may cost more because a pool forgot its buffers:
// the race detector makes pools forget at random.
const forgotten = 3
