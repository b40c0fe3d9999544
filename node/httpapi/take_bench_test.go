//go:build unix

package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// BenchmarkTake takes over loopback, with a client that does as little as it can. Its floor is a
// server that reads the request and returns the same bytes. Rounds alternate, and each reports what
// the floor took of the time that the limiter took. Time is the processor's, of both sides.
func BenchmarkTake(b *testing.B) {
	n, err := node.Open(b.Context(), node.Config{Limits: map[string]node.Policy{"default": {Limit: 1_000_000_000, Window: time.Second}}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	limiter := httpapi.New(httpapi.Config{Node: n})
	for name, request := range map[string]string{
		"query": "POST /v1/take?client=alice HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"body":  "POST /v1/take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 27\r\n\r\n" + `{"client":"alice","cost":2}`,
	} {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
			if err != nil {
				b.Fatal(err)
			}
			limiter.ServeHTTP(w, r)
			floor := http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				maps.Copy(to.Header(), w.Header())
				_, _ = to.Write(w.Body.Bytes())
			})
			one, other := dialBench(b, floor), dialBench(b, limiter)
			var took [2]time.Duration
			for b.Loop() {
				for i, c := range []*benchClient{one, other} {
					begin := cpu(b)
					for range 50 {
						c.ask(b, request)
					}
					took[i] += cpu(b) - begin
				}
			}
			b.ReportMetric(float64(took[1].Nanoseconds())/float64(b.N)/50, "ns/take")
			b.ReportMetric(float64(took[0])/float64(took[1]), "of_floor")
		})
	}
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchClient asks one server over one connection.
type benchClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialBench(b *testing.B, h http.Handler) *benchClient {
	b.Helper()
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &benchClient{conn, bufio.NewReader(conn)}
}

func (c *benchClient) ask(b *testing.B, request string) {
	if _, err := io.WriteString(c.conn, request); err != nil {
		b.Fatal(err)
	}
	length := 0
	for n := 0; ; n++ {
		line, err := c.in.ReadSlice('\n')
		if err != nil || n == 0 && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			b.Fatal(fmt.Errorf("%q, %w", line, err))
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := c.in.Discard(length); err != nil {
		b.Fatal(err)
	}
}
