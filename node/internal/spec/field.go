package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Field is one named value of a document and where it goes: Into is a *string,
// *int64, *float64, *bool or *Window.
type Field struct {
	Name string
	Into any
}

// Kind is what a value looked like where it was written.
type Kind uint8

// The kinds. Text is untyped, as in flags, environment variables and YAML scalars:
// it may be whatever the field takes.
const (
	Text Kind = iota
	String
	Number
	Bool
)

// Find returns the field of that name. The error is a *node.FieldError that lists
// the known ones.
func Find(fields []Field, name string) (Field, error) {
	known := make([]string, len(fields))
	for i, f := range fields {
		if f.Name == name {
			return f, nil
		}
		known[i] = f.Name
	}
	return Field{}, &node.FieldError{Field: Quote(name), Value: "is unknown", Reason: "known are " + strings.Join(known, ", ")}
}

// Set reads text, written as kind, into the field. The error is a *node.FieldError,
// and the field is unchanged then.
func (f Field) Set(kind Kind, text string) error {
	want := ""
	switch into := f.Into.(type) {
	case *string:
		if kind == Text || kind == String {
			*into = text
			return nil
		}
		want = "must be a string"
	case *int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && (kind == Text || kind == Number) {
			*into = n
			return nil
		}
		want = "must be a whole number, below 2^63"
	case *float64:
		if x, err := strconv.ParseFloat(text, 64); err == nil && (kind == Text || kind == Number) && !math.IsInf(x, 0) && !math.IsNaN(x) {
			*into = x
			return nil
		}
		want = "must be a number"
	case *bool:
		if (kind == Text || kind == Bool) && (text == "true" || text == "false") {
			*into = text == "true"
			return nil
		}
		want = "must be true or false"
	case *Window:
		if kind != Bool {
			w, err := ParseWindow(text)
			if err == nil {
				*into = w
				return nil
			}
		}
		want = windowForms
	default:
		panic(fmt.Sprintf("spec: field %s has the type %T", f.Name, f.Into)) // a programming error, found by any test
	}
	return &node.FieldError{Field: f.Name, Value: Quote(text), Reason: want}
}

// Quote makes text of unknown origin fit for a message: short, on one line.
func Quote(text string) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}
