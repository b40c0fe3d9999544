//go:build !race

package integration_test

// slowdown is by how much longer nodes of this process may take.
const slowdown = 1
