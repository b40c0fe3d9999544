package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWhoeverQueuesAtAGateThatClosesIsAccepted(t *testing.T) {
	g, err := openGate(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const queue = 5
	for range queue { // the kernel connects them: nobody accepts yet
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	g.finish()
	for i := range queue {
		c, err := g.Accept()
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	for range 2 {
		if _, err := g.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the last: %v", err)
		}
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("it still lets clients in")
	}
}

// Clients that connect as fast as they can get an answer or are refused.
func TestAListenerThatShutsResetsNobody(t *testing.T) {
	for range 10 {
		g, err := openGate(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := newHTTPListener("http", g)
		d.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
		})}
		served := make(chan error, 1)
		go func() { served <- d.serve() }()
		var answers, refused atomic.Int64
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for {
					c, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Addr().String())
					if err != nil {
						refused.Add(1)
						return
					}
					_ = c.SetDeadline(time.Now().Add(deadline))
					_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					text, readErr := io.ReadAll(c)
					_ = c.Close()
					if err != nil || readErr != nil || len(text) == 0 {
						t.Errorf("connected, and then %v, %v, %q", err, readErr, text)
						return
					}
					answers.Add(1)
				}
			})
		}
		for answers.Load() < 50 {
			time.Sleep(time.Millisecond)
		}
		if err := d.shut(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		clients.Wait()
		if refused.Load() != 8 {
			t.Errorf("%d clients were refused in the end", refused.Load())
		}
	}
}
