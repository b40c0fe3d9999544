//go:build !amd64 || race

package table

// publish stores a cell's origin, and behind it the word.
func publish(c *cell, origin int64, word uint64) {
	c.origin.Store(origin)
	c.word.Store(word)
}
