package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/document"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// LimitBody turns a document of one limit, in YAML or JSON, into the body of PUT
// /v1/limits/NAME. It reads the document as a limit in a configuration file. The error has
// all faults with their lines, and calls the document name. LimitBody does not look up the
// limit in "use"; the node that gets the body does.
func LimitBody(name string, text []byte) ([]byte, error) {
	var r spec.Reader
	var v spec.Value
	ok := true
	doc, err := document.Parse(name, text)
	switch {
	case err == nil && doc == nil:
		return nil, fmt.Errorf("%s is empty: it must be a limit, such as %s", name, spec.Example)
	case err == nil:
		v, ok = document.Value(&r, doc, document.Form{})
	default:
		// Some JSON is no YAML, such as that with surrogates.
		if v, _ = spec.ParseJSON(text); v.Kind != spec.Mapping {
			return nil, err
		}
	}
	if ok && v.Kind != spec.Mapping {
		return nil, fmt.Errorf("%s: must be a mapping, such as %s", name, spec.Example)
	}
	r.Limit("", v, func(string) (spec.Limit, error) { return spec.Limit{}, spec.ErrTold })
	if faults := document.Faults(name, &r); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	var b bytes.Buffer
	encode(&b, "", v)
	return b.Bytes(), nil
}

// words are the fields whose values are words, even if they look like numbers.
var words = []string{"use", "algorithm", "time_zone", "on_isolation", "consistency", "name", "client", "prefix", "cidr"}

// encode writes a value without faults as JSON. field is the member that it belongs to: a
// plain scalar has the type that this field takes.
func encode(b *bytes.Buffer, field string, v spec.Value) {
	switch v.Kind {
	case spec.Mapping:
		b.WriteByte('{')
		for i, m := range v.Members {
			separate(b, i)
			quote(b, m.Name)
			b.WriteByte(':')
			encode(b, m.Name, m.Value)
		}
		b.WriteByte('}')
	case spec.List:
		b.WriteByte('[')
		for i, item := range v.Items {
			separate(b, i)
			encode(b, field, item)
		}
		b.WriteByte(']')
	case spec.Text, spec.Number, spec.Bool:
		if !slices.Contains(words, field) {
			scalar(b, v.Text)
			return
		}
		fallthrough
	default:
		quote(b, v.Text)
	}
}

// scalar writes a number, true or false, or else a text. A document may have numbers in
// forms that JSON lacks, such as 05 and .5.
func scalar(b *bytes.Buffer, text string) {
	if json.Valid([]byte(text)) {
		b.WriteString(text)
	} else if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		b.WriteString(strconv.FormatInt(n, 10))
	} else if x, err := strconv.ParseFloat(text, 64); err == nil {
		b.WriteString(strconv.FormatFloat(x, 'f', -1, 64))
	} else {
		quote(b, text)
	}
}

func separate(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

func quote(b *bytes.Buffer, text string) {
	quoted, _ := json.Marshal(text) // never fails
	b.Write(quoted)
}
