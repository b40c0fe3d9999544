//go:build !chaos

package main

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node"

// setClock leaves the node the machine's clock. `make chaos` builds a daemon whose clock can be set.
func setClock(*node.Config) {}
