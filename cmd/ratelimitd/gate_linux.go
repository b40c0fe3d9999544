package main

import (
	"net"
	"os"
	"syscall"
)

// mostQueued is how many clients are taken when the gate closes: as many as Linux lets
// queue by default. Raising it lets those in who connect faster than they are taken.
const mostQueued = 4096

// closeQueue takes all who queue and closes, with nothing between the two that could wait.
func (g *gate) closeQueue() []net.Conn {
	var fds []int
	if raw, err := g.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // fails if the gate is closed
			for len(fds) < mostQueued {
				n, _, err := syscall.Accept4(int(fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC) //nolint:gosec // a descriptor is small
				switch err {
				case nil:
					fds = append(fds, n)
				case syscall.EINTR, syscall.ECONNABORTED:
				default:
					return
				}
			}
		})
	}
	_ = g.Close()
	var all []net.Conn
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "") //nolint:gosec // a descriptor is never negative
		if c, err := net.FileConn(f); err == nil {
			all = append(all, c)
		}
		_ = f.Close() // net.FileConn has one of its own
	}
	return all
}
