package spec

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Field is one named value of a document and its destination. For a single value, Into is a
// *string, *int, *int64, *float64, *bool or an encoding.TextUnmarshaler. For one value or a
// list, it is a *[]string. Otherwise it is a func(r *Reader, path string, v Value), which
// reads whatever it wants.
//
// Tables of fields take the place of struct tags, because flags, environment variables, queries,
// JSON and YAML all set the same destinations, and each fault needs the path of its field.
type Field struct {
	Name string
	Into any
}

// Find returns the field of that name. The error is a *node.FieldError that lists the known
// ones.
func Find(fields []Field, name string) (Field, error) {
	if i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name }); i >= 0 {
		return fields[i], nil
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.Name
	}
	return Field{}, &node.FieldError{Field: plain(name), Value: "is unknown", Reason: "known are " + Among(name, known)}
}

// Has reports whether there is a field of that name, at no cost for an error.
func Has(fields []Field, name string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name })
}

// Set reads text, written as kind, into the field, which takes a single value. The
// error is a *node.FieldError, and the field is unchanged then.
func (f Field) Set(kind Kind, text string) error {
	v := Value{Kind: kind, Text: text}
	if want := f.set(v); want != "" {
		return &node.FieldError{Field: f.Name, Value: v.shown(), Reason: want}
	}
	return nil
}

// set reads a value into the field. It returns "", or a text that says which value would be right. Then
// the field is unchanged. A value in quotes is no number or boolean: if "5" passed, a client that the
// writer means as text could become one.
func (f Field) set(v Value) (want string) {
	text, single := v.Text, v.Kind <= Bool
	typed := v.Kind == String || v.Kind == Bool // and so no number
	switch into := f.Into.(type) {
	case *string:
		if v.Kind != Text && v.Kind != String {
			return "must be a string"
		}
		*into = text
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || !single || typed {
			return number("must be a whole number", v, err)
		}
		*into = n
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		// Callers take the least number for one that was not given.
		if err != nil || n == math.MinInt64 || !single || typed {
			return number("must be a whole number, below 2^63", v, err)
		}
		*into = n
	case *float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !single || typed || math.IsInf(x, 0) || math.IsNaN(x) {
			return number("must be a number", v, err)
		}
		*into = x
	case *bool:
		if (v.Kind != Text && v.Kind != Bool) || (text != "true" && text != "false") {
			return "must be true or false"
		}
		*into = text == "true"
	case encoding.TextUnmarshaler:
		if !single {
			text = ""
		}
		if err := into.UnmarshalText([]byte(text)); err != nil {
			if fault := new(node.FieldError); errors.As(err, &fault) {
				return fault.Reason
			}
			return err.Error()
		}
	default:
		panic(fmt.Sprintf("spec: field %s has the type %T", f.Name, f.Into)) // a programming error, which any test finds
	}
	return ""
}

// number returns want, with a hint if the document has a right number in quotes.
func number(want string, v Value, err error) string {
	if v.Kind == String && err == nil {
		return want + ", without quotes"
	}
	return want
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// plain makes a name from outside fit for a path. A name with brackets, blanks or control characters
// gets quotes, so that nobody can forge an index or break a log line.
func plain(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return Quote(name)
}

// Quote makes text from outside fit for a message: short, on one line, without control characters.
// It cuts text after 40 bytes, which are enough to find it in the document.
func Quote(text string) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}
