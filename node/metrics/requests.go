package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Requests counts the requests of a program's doors by the code of their answer, whatever they ask
// for. Make one with NewRequests, and register it. Safe for concurrent use.
type Requests struct{ total *prometheus.CounterVec }

// NewRequests makes a counter of the requests at some doors. Each starts at 0 with the code of
// success, so that a rate exists before the first failure.
func NewRequests(doors ...node.Door) *Requests {
	r := &Requests{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "requests_total",
		Help: "Requests by door, and by the code of the answer: a status of HTTP, or a code of gRPC. With those that ask for no decision, such as a scrape.",
	}, []string{"door", "code"})}
	for _, d := range doors {
		code := strconv.Itoa(http.StatusOK)
		if d == node.DoorGRPC {
			code = "OK"
		}
		r.total.WithLabelValues(d.String(), code)
	}
	return r
}

// Describe implements prometheus.Collector.
func (r *Requests) Describe(ch chan<- *prometheus.Desc) { r.total.Describe(ch) }

// Collect implements prometheus.Collector.
func (r *Requests) Collect(ch chan<- prometheus.Metric) { r.total.Collect(ch) }

// Count counts one request. code is what the door answers, one of few.
func (r *Requests) Count(door node.Door, code string) {
	r.total.WithLabelValues(door.String(), code).Inc()
}

// HTTP counts the requests that a handler answers. door tells by which door a request came.
func (r *Requests) HTTP(next http.Handler, door func(*http.Request) node.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		by := door(q) // the handler may change the request
		next.ServeHTTP(seen, q)
		r.Count(by, strconv.Itoa(seen.status))
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	sent   bool
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if !w.sent && status >= http.StatusOK { // what comes before is no answer yet
		w.status, w.sent = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(b []byte) (int, error) {
	w.sent = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
