package integration_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// door is a TCP proxy that can be shut: it then breaks what passes through it, and
// nobody listens at its address until it is opened again.
type door struct {
	address string
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{address: freeAddress(t), conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		d.shut()
		d.running.Wait()
	})
	return d
}

func (d *door) open(t *testing.T, target string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.listener = l
	d.mu.Unlock()
	d.running.Go(func() { d.accept(l, target) })
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		_ = d.listener.Close()
		d.listener = nil
	}
	for c := range d.conns {
		_ = c.Close()
	}
}

func (d *door) accept(l net.Listener, target string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", target)
		if err != nil {
			_ = in.Close()
			continue
		}
		d.mu.Lock()
		if d.listener != l {
			_, _ = in.Close(), out.Close()
			d.mu.Unlock()
			return
		}
		d.conns[in], d.conns[out] = true, true
		d.mu.Unlock()
		d.running.Go(func() { d.pipe(in, out) })
		d.running.Go(func() { d.pipe(out, in) })
	}
}

func (d *door) pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range []net.Conn{to, from} {
		_ = c.Close()
		delete(d.conns, c)
	}
}
