package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// MaxBody is the largest body that is read, in bytes: a client id of the greatest
// length with every byte escaped fits twice.
const MaxBody = 16 << 10

// readInput reads fields from the query if there is one, else from the body.
func readInput(w http.ResponseWriter, r *http.Request, fields []spec.Field) *problem {
	if r.URL.RawQuery == "" {
		return readBody(w, r, fields)
	}
	if r.ContentLength != 0 {
		if _, err := io.ReadFull(http.MaxBytesReader(w, r.Body, MaxBody), make([]byte, 1)); err == nil {
			return bad("body", "give a query or a body, not both")
		}
	}
	return readQuery(r, fields)
}

// readQuery reads fields from the query, each at most once.
func readQuery(r *http.Request, fields []spec.Field) *problem {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad("query", "the query is not well-formed: "+err.Error())
	}
	for name, texts := range values {
		f, err := spec.Find(fields, name)
		if err != nil {
			return unknown(name, err)
		}
		if len(texts) > 1 {
			return bad(name, name+" is given more than once")
		}
		if !utf8.ValidString(texts[0]) {
			return bad(name, name+" must be UTF-8")
		}
		if err := f.Set(spec.Text, texts[0]); err != nil {
			return bad(name, err.Error())
		}
	}
	return nil
}

// readBody reads fields from a body that must be one JSON object. The standard
// decoder is too kind for that: it takes repeated keys, any capitals, null for
// anything, and whatever follows.
func readBody(w http.ResponseWriter, r *http.Request, fields []spec.Field) *problem {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return &problem{Status: http.StatusRequestEntityTooLarge, Field: "body", Detail: fmt.Sprintf("the body is larger than %d bytes", MaxBody)}
		}
		return bad("body", "the body could not be read")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return bad("body", "the body is empty: it must be a JSON object, such as "+example(fields))
	}
	if !utf8.Valid(body) {
		return bad("body", "the body must be UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return bad("body", "the body must be a JSON object, such as "+example(fields))
	}
	seen := map[string]bool{}
	for d.More() {
		if p := readMember(d, fields, seen); p != nil {
			return p
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("body", "something follows the JSON object")
	}
	return nil
}

// readMember reads one name and its value.
func readMember(d *json.Decoder, fields []spec.Field, seen map[string]bool) *problem {
	key, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	name, _ := key.(string) // the decoder accepts nothing else here
	f, err := spec.Find(fields, name)
	if err != nil {
		return unknown(name, err)
	}
	if seen[name] {
		return bad(name, name+" is given more than once")
	}
	seen[name] = true
	value, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	switch v := value.(type) {
	case string:
		err = f.Set(spec.String, v)
	case json.Number:
		err = f.Set(spec.Number, v.String())
	case bool:
		err = f.Set(spec.Bool, fmt.Sprint(v))
	case nil:
		return bad(name, name+" must not be null: leave it out for its default")
	default:
		return bad(name, name+" must be a single value")
	}
	if err != nil {
		return bad(name, err.Error())
	}
	return nil
}

func malformed(err error) *problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad("body", "the body ends in the middle of the JSON object")
	}
	return bad("body", "the body is not JSON: "+err.Error())
}

func unknown(name string, err error) *problem {
	const most = 64
	return bad(name[:min(len(name), most)], err.Error())
}

// example is a body that would have been right, as far as names go.
func example(fields []spec.Field) string {
	if fields[0].Name == "client" {
		return `{"client":"alice"}`
	}
	return `{"limit":100,"window":60}`
}
