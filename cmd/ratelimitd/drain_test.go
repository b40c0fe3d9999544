package main

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// connection is one connection of a client that sends as it likes.
type connection struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (p *process) connect() *connection {
	p.t.Helper()
	conn, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		p.t.Fatal(err)
	}
	return &connection{p.t, conn, bufio.NewReader(conn)}
}

func (c *connection) send(text string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

const take = "POST /v1/take?client=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

// answer reads one answer, and says whether the server ends the connection with it.
func (c *connection) answer() (status int, last bool) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Close
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for the end, and says how it ended.
func (p *process) ended() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(deadline):
		p.t.Fatalf("still running after %v", deadline)
	}
	return p.code
}

func TestAStopServesOnWhileItSaysThatItStops(t *testing.T) {
	const delay = 2 * time.Second
	p := runDaemon(t, nil, "-drain-delay", delay.String())
	idle, busy := p.connect(), p.connect()
	for _, c := range []*connection{idle, busy} {
		c.send(take)
		if status, last := c.answer(); status != http.StatusOK || last {
			t.Fatalf("before the stop: %d, connection ended: %t", status, last)
		}
	}
	// A request of before the stop, whose body comes while it stops.
	busy.send(strings.Replace(take, "Content-Length: 0", "Content-Length: 14", 1))
	began := time.Now()
	p.signal(syscall.SIGTERM)
	eventually(t, "not ready", func() bool {
		resp, body := p.ask("GET", "/readyz", "")
		return resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(body, "stopping")
	})
	if took := time.Since(began); took > delay/2 {
		t.Errorf("it was not ready only after %v", took)
	}
	for range 3 {
		fresh := p.connect()
		fresh.send(take)
		if status, last := fresh.answer(); status != http.StatusOK || !last {
			t.Errorf("a new connection while it stops: %d, connection ended: %t", status, last)
		}
	}
	busy.send(`{"client":"a"}`)
	if status, _ := busy.answer(); status != http.StatusOK && status != http.StatusBadRequest {
		t.Errorf("a request that had begun: %d", status)
	}
	<-time.After(delay/2 - time.Since(began))
	idle.send(take)
	if status, last := idle.answer(); status != http.StatusOK || !last {
		t.Errorf("an idle connection while it stops: %d, connection ended: %t", status, last)
	}
	if code := p.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took < delay || took > delay+stopWithin {
		t.Errorf("the stop took %v, of which %v to drain", took, delay)
	}
}

func TestTheDelayIsForSIGTERM(t *testing.T) {
	if d := config.Default().DrainDelay; time.Duration(d) != 4*time.Second || time.Duration(d)+stopWithin > 9*time.Second {
		t.Errorf("by default %v and %v: container engines kill after 10 s", time.Duration(d), stopWithin)
	}
	for name, c := range map[string]struct {
		delay string
		sig   os.Signal
	}{"Ctrl-C": {"1m", os.Interrupt}, "without a delay": {"0", syscall.SIGTERM}} {
		p := runDaemon(t, nil, "-drain-delay", c.delay)
		began := time.Now()
		if code := p.stop(c.sig); code != 0 || time.Since(began) > stopWithin {
			t.Errorf("%s: code %d after %v", name, code, time.Since(began))
		}
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	for _, second := range stopSignals {
		p := runDaemon(t, nil, "-drain-delay", "1m")
		p.signal(syscall.SIGTERM)
		p.await("stopping")
		began := time.Now()
		if code := p.stop(second); code <= exitUsage || time.Since(began) > 2*time.Second {
			t.Errorf("%v: code %d after %v", second, code, time.Since(began))
		}
	}
}

// Neither a server that hangs nor a client that sends half a request holds up a stop.
func TestNothingHoldsUpAStop(t *testing.T) {
	hub := runDaemon(t, nil, "-nats-listen", "127.0.0.1:0")
	p := runDaemon(t, nil, "-name", "n2", "-nats", hub.clientURL(), "-drain-delay", "500ms")
	together(t, 1, hub, p)
	slow := p.connect()
	slow.send("POST /v1/take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
	hub.signal(syscall.SIGSTOP)
	began := time.Now()
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 500*time.Millisecond+stopWithin {
		t.Errorf("the stop took %v", took)
	}
	if p.logged("requests were cut off") == nil || p.logged("stopped") == nil {
		t.Errorf("it did not say what it cut off, or that it stopped: %v", p.lines())
	}
}

func TestADelayThatCannotBeIsRefused(t *testing.T) {
	for _, text := range []string{"-1s", "-1", "soon", "", "month", "11m", "1d"} {
		_, _, err := runIn(t, nil, "-check", "-drain-delay="+text)
		if err == nil || !strings.Contains(err.Error(), "flag -drain-delay: drain_delay") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"0", "0s", "4", "1.5", "250ms", "10m"} {
		if _, _, err := runIn(t, nil, "-check", "-drain-delay", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := runIn(t, nil, "-check", write(t, "c.yaml", "drain_delay: 1.5s\nlimit: 5\n")); err != nil {
		t.Errorf("in a file: %v", err)
	}
}
