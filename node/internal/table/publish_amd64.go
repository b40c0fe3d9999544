//go:build !race

package table

// publish stores a cell's origin, and behind it the word. The shard is locked. A reader without the
// lock may see the origin before the word, and never the other way round: this processor makes the
// stores of one core visible in their order, and its loads are in order, too (Intel SDM, volume 3,
// 10.2.2). atomic.Store would also wait until others see the store. Unlocking waits anyway, and two waits
// more are a tenth of an admission.
//
//go:noescape
func publish(c *cell, origin int64, word uint64)
