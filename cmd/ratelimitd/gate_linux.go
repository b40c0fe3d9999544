package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

// mostQueued caps the clients that the gate takes when it closes: as many as Linux lets queue by
// default. Raising it takes clients who connect faster than the gate takes them. Lowering it resets
// clients in a long queue.
const mostQueued = 4096

// shaking is how long the gate waits for handshakes that have begun when it closes. Raising
// it lets clients with longer round trips finish theirs. Lowering it resets more of them.
const shaking = 50 * time.Millisecond

// noSyn is a socket filter that drops the first packet of each new connection, so that its
// client tries again and is refused. It reads the TCP header's byte of flags.
var noSyn = []syscall.SockFilter{
	{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: 13},
	{Code: syscall.BPF_ALU | syscall.BPF_AND | syscall.BPF_K, K: 0x12},        // SYN and ACK
	{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: 0x02}, // SYN alone
	{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},                             // drop it
	{Code: syscall.BPF_RET | syscall.BPF_K, K: 0x40000},                       // pass it on, whole
}

// closeQueue lets no new client into the queue, takes those in it, and closes. Without the filter,
// the kernel would reset a client that comes between the last take and the close.
func (g *gate) closeQueue() []net.Conn {
	var fds []int
	take := func(fd uintptr) {
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
	}
	if raw, err := g.SyscallConn(); err == nil {
		// Both fail if the gate is closed.
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.AttachLsf(int(fd), noSyn) //nolint:staticcheck,gosec // all that the standard library has; a descriptor is small
			take(fd)
		})
		time.Sleep(shaking)
		_ = raw.Control(take)
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
