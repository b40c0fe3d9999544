// Package transporttest is the conformance suite of deltasync.Transport. The tests of a
// transport call Run with a function that makes networks of it.
//
// Each case stands for something that the protocol relies on; its comment says what would
// break in a node. Run starts no network of its own, and takes a second or two.
package transporttest
