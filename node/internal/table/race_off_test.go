//go:build !race

package table

// racing says that the race detector watches, which makes everything some ten times slower.
const racing = false
