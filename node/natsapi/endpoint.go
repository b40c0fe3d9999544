package natsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
)

// answerWithin is the longest that a request may take. A change of a limit takes a quarter of a
// second, and nothing else waits. Raising it holds up the requests behind one that is stuck;
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
	{"peek", false, gets("/v1/peek")},
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

// gets asks for a path whose query is the body: an object of texts, numbers and truth values.
func gets(path string) func([]byte) (string, string, []byte, error) {
	return func(body []byte) (method, target string, send []byte, err error) {
		query, err := queryOf(body)
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

func queryOf(body []byte) (url.Values, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&members); err != nil || d.More() {
		return nil, errBody
	}
	query := url.Values{}
	for name, value := range members {
		switch v := value.(type) {
		case string:
			query.Set(name, v)
		case json.Number:
			query.Set(name, v.String())
		case bool:
			query.Set(name, strconv.FormatBool(v))
		default:
			return nil, fmt.Errorf("%s must be a text, a number, true or false", name)
		}
	}
	return query, nil
}

var errBody = fmt.Errorf(`the body must be one JSON object, such as {"client":"alice"}`)

func getLimits(body []byte) (method, target string, send []byte, err error) {
	query, err := queryOf(body)
	if err != nil {
		return "", "", nil, err
	}
	name := query.Get("name")
	if query.Del("name"); len(query) > 0 {
		return "", "", nil, fmt.Errorf(`the body may have "name" alone`)
	}
	if name == "" {
		return http.MethodGet, "/v1/limits", nil, nil
	}
	return http.MethodGet, "/v1/limits/" + url.PathEscape(name), nil, nil
}

func setLimit(body []byte) (method, target string, send []byte, err error) {
	var in struct {
		Name   string          `json:"name"`
		Policy json.RawMessage `json:"policy"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || d.More() || in.Name == "" || len(in.Policy) == 0 {
		return "", "", nil, fmt.Errorf(`the body must be such as {"name":"login","policy":{"limit":5,"window":60}}`)
	}
	return http.MethodPut, "/v1/limits/" + url.PathEscape(in.Name), in.Policy, nil
}

// answer asks the HTTP interface, and sends what it says.
func (d *door) answer(r micro.Request, ask func([]byte) (string, string, []byte, error)) {
	method, target, send, err := ask(r.Data())
	if err != nil {
		respond(r, refusal(err))
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), answerWithin)
	defer stop()
	q, err := http.NewRequestWithContext(ctx, method, "http://localhost"+target, bytes.NewReader(send))
	if err != nil {
		respond(r, refusal(err))
		return
	}
	q.RemoteAddr, q.RequestURI = "nats", target
	for _, name := range []string{"Authorization", "X-Api-Token", "If-Match", "If-None-Match"} {
		if v := http.Header(r.Headers()).Values(name); len(v) > 0 {
			q.Header[name] = v
		}
	}
	w := &writer{status: http.StatusOK, header: http.Header{}}
	d.handler.ServeHTTP(w, q)
	respond(r, w)
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
func respond(r micro.Request, w *writer) {
	h := micro.Headers{}
	for _, name := range []string{"Content-Type", "Etag", headers.FieldPolicy, headers.FieldLimits, headers.FieldRetry} {
		if v := w.header.Values(name); len(v) > 0 {
			h[name] = v
		}
	}
	if w.status < http.StatusBadRequest || w.status == http.StatusTooManyRequests {
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
