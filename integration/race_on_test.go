//go:build race

package integration_test

// slowdown is by how much longer nodes of this process may take: the race detector makes what
// they do several times slower.
const slowdown = 3
