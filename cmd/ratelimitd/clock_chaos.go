//go:build chaos

package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// setClock gives the node a clock that is off by as many nanoseconds as the file says that
// CHAOS_CLOCK names. Only a build for `make chaos` has it.
func setClock(c *node.Config) {
	path := os.Getenv("CHAOS_CLOCK")
	if path == "" {
		return
	}
	var offset atomic.Int64
	read := func() {
		text, err := os.ReadFile(path)
		if err != nil {
			return
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			offset.Store(n)
		}
	}
	read()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			read()
		}
	}()
	began := time.Now()
	c.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	c.Elapsed = func() time.Duration { return time.Since(began) }
}
