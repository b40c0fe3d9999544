package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"unicode/utf8"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// The largest bodies that the handler reads, in bytes. Larger ones cost memory for each
// open connection; smaller ones refuse legal requests.
const (
	// MaxBody is for every body but a limit's. Two client ids of the greatest length fit,
	// with every byte escaped.
	MaxBody = 16 << 10
	// MaxLimitBody is for a limit, with its overrides.
	MaxLimitBody = 64 << 10
)

// readRequest reads a request from the query if there is one, otherwise from the body. It tries the
// flat form first, which allocates nothing but the texts, and reads everything else by the tree.
func readRequest(w http.ResponseWriter, r *http.Request, q *request, mayAtMost bool) *problem {
	if r.URL.RawQuery != "" {
		if r.ContentLength == 0 && readFlatQuery(r.URL.RawQuery, q, mayAtMost) {
			return nil
		}
		return readInput(w, r, q.flatFields(mayAtMost), q.nested())
	}
	buffer := buffers.get()
	defer buffers.put(buffer)
	if p := readAll(w, r, MaxBody, buffer); p != nil {
		return p
	}
	if readFlatBody(*buffer, q, mayAtMost) {
		return nil
	}
	return parseBody(*buffer, append(q.flatFields(mayAtMost), q.nested()...))
}

// readInput reads fields from the query if there is one, otherwise from the body. Only a
// body may have nested fields.
func readInput(w http.ResponseWriter, r *http.Request, fields, nested []spec.Field) *problem {
	if r.URL.RawQuery == "" {
		return readBody(w, r, append(fields, nested...))
	}
	// Some clients send an empty body of unknown length, so only a byte of it counts.
	if r.ContentLength != 0 {
		if _, err := io.ReadFull(http.MaxBytesReader(w, r.Body, MaxBody), make([]byte, 1)); err == nil {
			return bad("body", "give a query or a body, not both")
		}
	}
	return readQuery(r, fields, nested)
}

// readQuery reads fields from the query, each at most once. It refuses nested fields.
func readQuery(r *http.Request, fields, nested []spec.Field) *problem {
	return readValues(r.URL.RawQuery, fields, nested)
}

// readValues is readQuery for any text in the form of a query.
func readValues(query string, fields, nested []spec.Field) *problem {
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad("query", "the query is not well-formed: "+err.Error())
	}
	for name, texts := range values {
		if spec.Has(nested, name) {
			return bad(name, name+" must be in a JSON body, with all else: a query has no form for it")
		}
		f, err := spec.Find(fields, name)
		if err != nil {
			return problemOf(err, "name")
		}
		if len(texts) > 1 {
			return bad(name, name+" is given more than once")
		}
		if !utf8.ValidString(texts[0]) {
			return bad(name, name+" must be valid UTF-8")
		}
		if err := f.Set(spec.Text, texts[0]); err != nil {
			return bad(name, err.Error())
		}
	}
	return nil
}

// readBody reads fields from a body, which must be one JSON object.
func readBody(w http.ResponseWriter, r *http.Request, fields []spec.Field) *problem {
	buffer := buffers.get()
	defer buffers.put(buffer)
	if p := readAll(w, r, MaxBody, buffer); p != nil {
		return p
	}
	return parseBody(*buffer, fields)
}

// parseBody reads fields from the text of a body.
func parseBody(text []byte, fields []spec.Field) *problem {
	const example = `{"client":"alice"}`
	v, p := parseDocument(text, example)
	if p != nil {
		return p
	}
	var in spec.Reader
	in.Fields("", v, example, fields)
	return refused(&in)
}

// readLimit reads a limit from a body, which must be one JSON object. The limit may build on
// a known limit.
func readLimit(w http.ResponseWriter, r *http.Request, known map[string]node.Policy) (node.Policy, *problem) {
	v, p := readDocument(w, r, MaxLimitBody, spec.Example)
	if p != nil {
		return node.Policy{}, p
	}
	var in spec.Reader
	l := in.Limit("", v, spec.BaseOf(known))
	return l.Policy(), refused(&in)
}

// readDocument reads a body of at most so many bytes as a tree. Errors show the example.
func readDocument(w http.ResponseWriter, r *http.Request, most int64, example string) (spec.Value, *problem) {
	buffer := buffers.get()
	defer buffers.put(buffer)
	if p := readAll(w, r, most, buffer); p != nil {
		return spec.Value{}, p
	}
	return parseDocument(*buffer, example)
}

// parseDocument makes a tree of a body, which keeps no part of the text.
func parseDocument(text []byte, example string) (spec.Value, *problem) {
	v, err := spec.ParseJSON(text)
	if err != nil {
		return v, bad("body", "the body "+err.Error()+"; one that is right is such as "+example)
	}
	return v, nil
}

// readAll reads a body of at most so many bytes into a buffer, which grows as needed: what a client says
// that it will send costs no memory until it comes.
func readAll(w http.ResponseWriter, r *http.Request, most int64, into *[]byte) *problem {
	body := r.Body
	if r.ContentLength < 0 || r.ContentLength > most { // the server reads no more than it says
		body = http.MaxBytesReader(w, body, most)
	}
	b := (*into)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*into = b
		switch {
		case int64(len(b)) > most:
			return tooLarge(most)
		case err == io.EOF:
			return nil
		case err != nil:
			return unreadable(err, most)
		}
	}
}

// unreadable is the problem of a body that breaks off.
func unreadable(err error, most int64) *problem {
	over := new(http.MaxBytesError)
	switch {
	case errors.As(err, &over):
		return tooLarge(most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{Status: http.StatusRequestTimeout, Field: "body", Detail: "the body took too long"}
	default:
		return bad("body", "the body could not be read")
	}
}

// tooLarge is the problem of a body above most bytes.
func tooLarge(most int64) *problem {
	return &problem{Status: http.StatusRequestEntityTooLarge, Field: "body", Detail: fmt.Sprintf("the body is larger than %d bytes", most)}
}

// refused returns the faults of a document as a problem, or nil.
func refused(in *spec.Reader) *problem {
	if err := in.Err(); err != nil {
		return problemOf(err, "name")
	}
	return nil
}
