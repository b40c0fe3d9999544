package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes connections on to an address, each byte late by a delay that can be changed.
type proxy struct {
	listener net.Listener
	to       string
	delay    atomic.Int64
	running  sync.WaitGroup
}

// newProxy listens at an address.
func newProxy(ctx context.Context, at, to string) (*proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, to: to}
	p.running.Go(p.accept)
	return p, nil
}

// close ends the listener. Connections end with their ends.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			out, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", p.to)
			if err != nil {
				_ = in.Close()
				return
			}
			go p.pass(in, out)
			p.pass(out, in)
		}()
	}
}

// pass copies one way until that way ends, and then ends both: a server that stops must not leave
// half a connection behind.
func (p *proxy) pass(from, to net.Conn) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		for piece := range pieces {
			time.Sleep(time.Until(piece.due))
			if _, err := to.Write(piece.bytes); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
	}()
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{buf[:n], time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	_ = from.Close()
}
