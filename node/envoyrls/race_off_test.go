//go:build !race

package envoyrls_test

// forgotten is how many allocations a request may cost more because a pool forgot its buffers.
const forgotten = 0
