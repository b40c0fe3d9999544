// Package output prints the results of the programs. One value gives an aligned table for people
// and JSON for scripts, so the two never disagree.
package output

import (
	"encoding/json"
	"fmt"
	"io"
)

// Format is the form of a printed result. It is a flag.Value. The zero value is text.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// String implements flag.Value.
func (f *Format) String() string {
	if f == nil || *f == "" {
		return string(Text)
	}
	return string(*f)
}

// Set implements flag.Value.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case Text, JSON:
		*f = Format(s)
		return nil
	}
	return fmt.Errorf("must be text or json, not %q", s)
}

// Print writes v as indented JSON, or lets text write it for people.
func (f Format) Print(w io.Writer, v any, text func(io.Writer) error) error {
	if f != JSON {
		return text(w)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
