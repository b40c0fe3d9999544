package envoyrls

import (
	"math"
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// Files of rules were written for a reader of YAML 1.1 that is less strict than ours. What it
// takes, these fields take too: a key without a value, yes for true, 1_000 for 1000, and
// plain numbers where a text is wanted.

// field reads one value into its place.
type field = func(r *spec.Reader, path string, v spec.Value)

// given is a mapping without the members that have no value.
func given(v spec.Value) spec.Value {
	if v.Kind != spec.Mapping {
		return v
	}
	all := v.Members
	v.Members = make([]spec.Member, 0, len(all))
	for _, m := range all {
		if m.Value.Kind != spec.Null {
			v.Members = append(v.Members, m)
		}
	}
	return v
}

// single reports whether a value is a scalar. A key without a value is none.
func single(v spec.Value) bool { return v.Kind < spec.Null }

// shown is a value as a message shows it: a scalar by its text, anything else by its form.
func shown(v spec.Value) string {
	switch v.Kind {
	case spec.List:
		return "is a list"
	case spec.Mapping:
		return "is a mapping"
	case spec.Null:
		return "null"
	default:
		return spec.Quote(v.Text)
	}
}

// text reads any scalar, by its text: an unquoted 8080 is a fine value for a descriptor.
func text(into *string) field {
	return func(r *spec.Reader, path string, v spec.Value) {
		if !single(v) {
			r.Refuse(v.Line, path, shown(v), "must be a string")
			return
		}
		*into = v.Text
	}
}

// list reads a list, and leaves its items to whoever asked.
func list(into *[]spec.Value) field {
	return func(r *spec.Reader, path string, v spec.Value) {
		if v.Kind != spec.List {
			r.Refuse(v.Line, path, shown(v), "must be a list of mappings")
			return
		}
		*into = v.Items
	}
}

// boolean reads true or false, in the spellings of YAML 1.1.
func boolean(into *bool) field {
	return func(r *spec.Reader, path string, v spec.Value) {
		value, ok := truth(v)
		if !ok {
			r.Refuse(v.Line, path, shown(v), "must be true or false")
			return
		}
		*into = value
	}
}

// truth reads a boolean of YAML 1.1.
func truth(v spec.Value) (value, ok bool) {
	if v.Kind != spec.Text && v.Kind != spec.Bool {
		return false, false
	}
	switch v.Text {
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y":
		return true, true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N":
		return false, true
	}
	return false, false
}

// count reads a whole number of 32 bits, as protobuf's field has them. 1e3 and 10.0 are whole numbers.
func count(into *uint32) field {
	return func(r *spec.Reader, path string, v spec.Value) {
		n, ok := number(v)
		if !ok || n != math.Trunc(n) || n < 0 || n > math.MaxUint32 {
			r.Refuse(v.Line, path, shown(v), "must be a whole number from 0 to 4294967295")
			return
		}
		*into = uint32(n)
	}
}

// number reads a number of YAML 1.1. A number in quotes is none.
func number(v spec.Value) (float64, bool) {
	if v.Kind != spec.Text && v.Kind != spec.Number {
		return 0, false
	}
	plain := strings.ReplaceAll(v.Text, "_", "")
	if n, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return float64(n), true
	}
	n, err := strconv.ParseFloat(plain, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}
