package node

import (
	"fmt"
	"strings"
)

// choice is a named value of a small set, as written in files and JSON.
type choice interface{ ~uint8 }

var (
	algorithmNames   = []string{"gcra", "fixed_window", "sliding_window"}
	consistencyNames = []string{"eventual", "local"}
	accessNames      = []string{"limited", "unlimited", "blocked"}
)

func nameOf[T choice](c T, names []string) string {
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// choose reads a choice; the error is a *FieldError that lists all.
func choose[T choice](into *T, field string, text []byte, names []string) error {
	for i, name := range names {
		if name == string(text) {
			*into = T(i) //nolint:gosec // a handful
			return nil
		}
	}
	last := len(names) - 1
	return &FieldError{
		Field: field, Value: fmt.Sprintf("%.32q", text),
		Reason: "must be " + strings.Join(names[:last], ", ") + " or " + names[last],
	}
}

// String is the choice as written in files and JSON.
func (a Algorithm) String() string { return nameOf(a, algorithmNames) }

// MarshalText implements encoding.TextMarshaler.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Algorithm) UnmarshalText(text []byte) error {
	return choose(a, "algorithm", text, algorithmNames)
}

// String is the choice as written in files and JSON.
func (c Consistency) String() string { return nameOf(c, consistencyNames) }

// MarshalText implements encoding.TextMarshaler.
func (c Consistency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Consistency) UnmarshalText(text []byte) error {
	return choose(c, "consistency", text, consistencyNames)
}

// String is the choice as written in files and JSON.
func (a Access) String() string { return nameOf(a, accessNames) }

// MarshalText implements encoding.TextMarshaler.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Access) UnmarshalText(text []byte) error { return choose(a, "block", text, accessNames) }
