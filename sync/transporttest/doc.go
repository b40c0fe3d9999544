// Package transporttest is what every deltasync.Transport has to do, as tests. A
// transport's own tests call Run.
package transporttest
