// Package document reads YAML text as the values that package spec reads: the daemon's
// configuration and the rules of Envoy's rate limit service are both such documents. Plain
// scalars keep their text, so that the field that takes one decides its type. Every value
// knows its line.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// directive is the line that says YAML 1.2. The reader knows 1.1 alone. The two differ in plain
// values, and those have the types of their fields here.
var directive = regexp.MustCompile(`^((?:\x{FEFF})?(?:[ \t]*(?:#.*)?\r?\n)*%YAML[ \t]+)1\.2\b`)

// Parse is the one document in a text, nil if the text is empty. Errors call the text name, and
// give the line as all other faults do: "name:line: what". It neither follows aliases nor judges
// values: Value does.
func Parse(name string, text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(directive.ReplaceAll(text, []byte("${1}1.1"))))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, errors.New(name + ":" + malformed(err))
	}
	// A second document would be ignored in silence, and with it the limits that somebody wrote
	// behind a line of dashes.
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: there is more than one document in the file: give one", name)
	}
	return doc.Content[0], nil
}

// malformed is the YAML reader's error, with its line in the form of all other faults. It begins
// with the line and a colon, or with a blank if the reader names no line. Two errors get a hint,
// because their text does not say what to mend.
func malformed(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := " "
	if rest, found := strings.CutPrefix(text, "line "); found {
		line, text, _ = strings.Cut(rest, " ")
		line += " "
	}
	switch {
	case strings.HasSuffix(text, "cannot start any token"):
		text += ": is it a tab? YAML is indented with spaces"
	case strings.Contains(text, "UTF-8"), strings.Contains(text, "Unicode"), strings.Contains(text, "UTF-16"):
		text = "the file must be valid UTF-8: " + text
	}
	return line + text
}

// Faults puts a file's name and the line before each fault that a reader found in it. The last one
// says how many more there are, if the reader did not keep all.
func Faults(name string, r *spec.Reader) []error {
	told, more := r.Faults()
	var all []error
	for _, f := range told {
		all = append(all, fmt.Errorf("%s:%d: %w", name, f.Line, f.Err))
	}
	if more > 0 {
		all = append(all, fmt.Errorf("%s: %w", name, spec.More(more)))
	}
	return all
}
