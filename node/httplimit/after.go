package httplimit

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Answer is what a handler answered, for Config.After.
type Answer struct {
	Request *http.Request
	// Status is 0 if the handler panicked before it wrote anything.
	// It is 101 if the handler took the connection over.
	Status int
	// Header is that of the answer. Trailers are in it too, as net/http keeps them.
	Header http.Header
	// Bytes is the length of the body. What goes over a connection that the handler took over
	// does not count.
	Bytes int64
}

// AfterHeader is a Config.After: the cost is a whole number in a header of the answer, such as
// the tokens that a model server counted. An answer without such a number costs missing.
func AfterHeader(name string, missing int64) func(Answer) int64 {
	return func(a Answer) int64 {
		if n, err := strconv.ParseInt(a.Header.Get(name), 10, 64); err == nil && n >= 0 {
			return n
		}
		return missing
	}
}

// serveAndSettle takes the cost as an estimate, and settles it once the handler has answered.
func (m *middleware) serveAndSettle(w http.ResponseWriter, r *http.Request, next http.Handler, q *node.Request) {
	q.Timeout = node.MaxTimeout
	taken := m.Limiter.Reserve(*q)
	d := node.Detail{Decision: taken.Decision, Fault: taken.Fault}
	if !d.Allowed && d.Fault == nil && len(q.Also) > 0 { // a reservation does not say which others deny
		ask := *q
		ask.Peek = true
		d.Each = m.Limiter.DoDetailed(ask).Each
	}
	if !m.answer(w, r, next, q, &d) {
		return
	}
	rec := &recorder{ResponseWriter: w}
	defer func() { // also if the handler panics: what it wrote has its cost
		actual := m.After(Answer{Request: r, Status: rec.status, Header: w.Header(), Bytes: rec.bytes})
		m.settle(taken, q, actual)
		d.Cost = max(0, actual)
		m.tell(r, q, &d)
	}()
	next.ServeHTTP(rec, r)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
}

// settle brings what was taken to the true cost. A reservation gives back while it holds; a
// charge of what the estimate lacked is possible at any time, however long the answer took.
func (m *middleware) settle(taken *node.Reservation, q *node.Request, actual int64) {
	if actual > q.Cost {
		m.charge(q, actual-q.Cost, func(c node.Check) bool { return c.Cost == 0 })
		return
	}
	taken.Settle(max(0, actual))
	if actual <= 0 { // which gave everything back, also the costs that limits have of their own
		m.charge(q, 0, func(c node.Check) bool { return c.Cost > 0 })
	}
}

// charge charges the cost to the request's own limit, if it is above 0, and to the further
// limits that it picks.
func (m *middleware) charge(q *node.Request, cost int64, pick func(node.Check) bool) {
	var picked []node.Check
	if cost > 0 {
		picked = append(picked, node.Check{Client: q.Client, Limit: q.Limit, Cost: cost})
	}
	for _, c := range q.Also {
		if pick(c) {
			c.Cost = max(c.Cost, cost)
			picked = append(picked, c)
		}
	}
	if len(picked) > 0 {
		own := picked[0]
		m.Limiter.Charge(node.Request{Client: own.Client, Limit: own.Limit, Cost: own.Cost, Also: picked[1:]})
	}
}

// recorder notes what a handler answers.
type recorder struct {
	http.ResponseWriter

	status int // 0 before the header is written
	bytes  int64
}

// Unwrap lets http.ResponseController reach what the server offers.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	// All below 200 but 101 go before the answer.
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.begin()
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// ReadFrom lets the server send a file without copying it.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.begin()
	n, err := io.Copy(r.ResponseWriter, src)
	r.bytes += n
	return n, err
}

// Flush is for handlers that look for an http.Flusher.
func (r *recorder) Flush() {
	r.begin()
	_ = http.NewResponseController(r.ResponseWriter).Flush() // a Flusher tells no errors
}

// Hijack is for handlers that look for an http.Hijacker. Those of websockets write the status
// to the connection.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func (r *recorder) begin() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}
