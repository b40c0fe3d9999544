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

// readInput reads fields from the query if there is one, otherwise from the body. Only a
// body may have nested fields.
func readInput(w http.ResponseWriter, r *http.Request, fields, nested []spec.Field) *problem {
	if r.URL.RawQuery == "" {
		return readBody(w, r, append(fields, nested...))
	}
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
		if _, err := spec.Find(nested, name); err == nil {
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
	const example = `{"client":"alice"}`
	v, p := readDocument(w, r, MaxBody, example)
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

func readDocument(w http.ResponseWriter, r *http.Request, most int64, example string) (spec.Value, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return spec.Value{}, &problem{Status: http.StatusRequestEntityTooLarge, Field: "body", Detail: fmt.Sprintf("the body is larger than %d bytes", most)}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return spec.Value{}, &problem{Status: http.StatusRequestTimeout, Field: "body", Detail: "the body took too long"}
		}
		return spec.Value{}, bad("body", "the body could not be read")
	}
	v, err := spec.ParseJSON(body)
	if err != nil {
		return v, bad("body", "the body "+err.Error()+"; one that is right is such as "+example)
	}
	return v, nil
}

// refused returns the faults of a document as a problem, or nil.
func refused(in *spec.Reader) *problem {
	if err := in.Err(); err != nil {
		return problemOf(err, "name")
	}
	return nil
}
