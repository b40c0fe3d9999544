package natsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// answerWithin is the longest that a request may take. A change of a limit takes a quarter of a
// second, and loans take up to node.MaxHold. Raising it holds up the requests behind one that is stuck;
// lowering it below that quarter cuts changes short.
const answerWithin = 5 * time.Second

// endpoint is one subject, and what it asks the HTTP interface.
type endpoint struct {
	subject string
	each    bool // every node answers
	ask     func(body []byte) (method, target string, send []byte, err error)
}

var endpoints = []endpoint{
	{"check", false, posts("/v1/take")},
	{"batch", false, posts("/v1/batch")},
	{"peek", false, gets("/v1/peek", "cost")},
	{"charge", false, posts("/v1/charge")},
	{"limits.get", false, getLimits},
	{"limits.set", false, setLimit},
	{"status", true, gets("/v1/status")},
	{"top", true, gets("/v1/top")},
}

func posts(path string) func([]byte) (string, string, []byte, error) {
	return func(body []byte) (method, target string, send []byte, err error) {
		return http.MethodPost, path, body, nil
	}
}

// gets asks for a path whose query is the body: an object of texts, and of numbers where the
// field of that name is one.
func gets(path string, numbers ...string) func([]byte) (string, string, []byte, error) {
	return func(body []byte) (method, target string, send []byte, err error) {
		query, err := queryOf(body, numbers...)
		if err != nil {
			return "", "", nil, err
		}
		if len(query) > 0 {
			path := path + "?" + query.Encode()
			return http.MethodGet, path, nil, nil
		}
		return http.MethodGet, path, nil, nil
	}
}

// queryOf is a body as a query. What a body may not have over HTTP is a fault here, too: a query
// has no types, so nobody would see it behind this.
func queryOf(body []byte, numbers ...string) (url.Values, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	members, err := members(body)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for name, value := range members {
		switch number := slices.Contains(numbers, name); {
		case number && value.Kind != spec.Number:
			return nil, fmt.Errorf("%s must be a number", name)
		case !number && value.Kind != spec.String:
			return nil, fmt.Errorf("%s must be a text, if it is known", name)
		}
		query.Set(name, value.Text)
	}
	return query, nil
}

// members are the members of a body, each at most once.
func members(body []byte) (map[string]spec.Value, error) {
	v, err := spec.ParseJSON(body)
	if err != nil {
		return nil, fmt.Errorf(`the body %w; one that is right is such as {"client":"alice"}`, err)
	}
	out := make(map[string]spec.Value, len(v.Members))
	for _, m := range v.Members {
		if _, twice := out[m.Name]; twice {
			return nil, fmt.Errorf("%s is given more than once", spec.Quote(m.Name))
		}
		out[m.Name] = m.Value
	}
	return out, nil
}

// limitPath is the path of a limit. A path cleans the names . and .. away, so that no limit can
// be called so over HTTP either.
func limitPath(name string) (string, error) {
	if name == "." || name == ".." {
		return "", fmt.Errorf("name %q is that of no limit", name)
	}
	return "/v1/limits/" + url.PathEscape(name), nil
}

func getLimits(body []byte) (method, target string, send []byte, err error) {
	query, err := queryOf(body)
	if err != nil {
		return "", "", nil, err
	}
	name := query.Get("name")
	if query.Del("name"); len(query) > 0 {
		return "", "", nil, errors.New(`the body may have "name" alone`)
	}
	if name == "" {
		return http.MethodGet, "/v1/limits", nil, nil
	}
	target, err = limitPath(name)
	return http.MethodGet, target, nil, err
}

func setLimit(body []byte) (method, target string, send []byte, err error) {
	members, err := members(body)
	if err != nil {
		return "", "", nil, err
	}
	name, policy := members["name"], members["policy"]
	if len(members) != 2 || name.Kind != spec.String || name.Text == "" || policy.Kind != spec.Mapping {
		return "", "", nil, errors.New(`the body must be such as {"name":"login","policy":{"limit":5,"window":60}}`)
	}
	var in struct{ Policy json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil { // which ParseJSON has read
		return "", "", nil, err
	}
	target, err = limitPath(name.Text)
	return http.MethodPut, target, in.Policy, err
}

// passed are the headers that go to the HTTP interface, by the method. A read gives its answer
// always: an asker over NATS has no cache that a 304 could mean.
var passed = map[string][]string{
	http.MethodGet: {"Authorization", "X-Api-Token"}, http.MethodPost: {"Authorization", "X-Api-Token"},
	http.MethodPut: {"Authorization", "X-Api-Token", "If-Match", "If-None-Match"},
}

// answer asks the HTTP interface, and sends what it says. A request that waits for loans does not
// hold up those behind it: node.MaxHolding caps how many do.
func (d *door) answer(r micro.Request, ask func([]byte) (string, string, []byte, error)) {
	method, target, send, err := ask(r.Data())
	if err != nil {
		d.respond(r, refusal(err))
		return
	}
	timed, stop := context.WithTimeout(context.Background(), answerWithin)
	ctx := patient{timed, make(chan struct{}, 1)}
	q, err := http.NewRequestWithContext(ctx, method, "http://localhost"+target, bytes.NewReader(send))
	if err != nil {
		stop()
		d.respond(r, refusal(err))
		return
	}
	q.RemoteAddr, q.RequestURI = "nats", target
	for _, name := range passed[method] {
		if v := http.Header(r.Headers()).Values(name); len(v) > 0 {
			q.Header[name] = v
		}
	}
	w, done := &writer{status: http.StatusOK, header: http.Header{}}, make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		d.handler.ServeHTTP(w, q)
	}()
	select {
	case <-done:
		d.respond(r, w)
	case <-ctx.waits:
		go func() {
			<-done
			d.respond(late{d.conn, r.Reply()}, w)
		}()
	}
}

// patient is a context that tells when somebody looks at its end for the first time: who does is
// about to wait.
type patient struct {
	context.Context

	waits chan struct{}
}

// Done implements context.Context.
func (p patient) Done() <-chan struct{} {
	select {
	case p.waits <- struct{}{}:
	default:
	}
	return p.Context.Done()
}

// responder sends an answer, as micro.Request does.
type responder interface {
	Respond(data []byte, opts ...micro.RespondOpt) error
	Error(code, description string, data []byte, opts ...micro.RespondOpt) error
}

// late answers a request that the service takes for answered.
type late struct {
	conn  *nats.Conn
	reply string
}

// Respond implements responder.
func (l late) Respond(data []byte, opts ...micro.RespondOpt) error {
	m := &nats.Msg{Subject: l.reply, Data: data}
	for _, o := range opts {
		o(m)
	}
	return l.conn.PublishMsg(m)
}

// Error implements responder.
func (l late) Error(code, description string, data []byte, opts ...micro.RespondOpt) error {
	fault := micro.WithHeaders(micro.Headers{micro.ErrorHeader: {description}, micro.ErrorCodeHeader: {code}})
	return l.Respond(data, append(opts, fault)...)
}

// refusal is the answer to a body that asks nothing.
func refusal(err error) *writer {
	w := &writer{status: http.StatusBadRequest, header: http.Header{"Content-Type": {headers.ProblemType}}}
	_ = json.NewEncoder(&w.body).Encode(map[string]any{ // a buffer takes everything
		"title": http.StatusText(w.status), "status": w.status, "detail": err.Error(), "field": "body",
	})
	return w
}

// respond sends an answer. An error means that the connection is gone, and the asker waits in
// vain.
func (d *door) respond(r responder, w *writer) {
	d.answered(w.status)
	h := micro.Headers{}
	for _, name := range []string{"Content-Type", "Etag", headers.FieldPolicy, headers.FieldLimits, headers.FieldRetry} {
		if v := w.header.Values(name); len(v) > 0 {
			h[name] = v
		}
	}
	switch w.status {
	case http.StatusOK, http.StatusAccepted, http.StatusTooManyRequests:
		_ = r.Respond(w.body.Bytes(), micro.WithHeaders(h))
		return
	}
	_ = r.Error(strconv.Itoa(w.status), http.StatusText(w.status), w.body.Bytes(), micro.WithHeaders(h))
}

// writer keeps an answer.
type writer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) { w.status = status }

func (w *writer) Write(b []byte) (int, error) { return w.body.Write(b) }
