package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxDepth is the depth from which on Tree prints the rest of a document as JSON in one cell.
// Raising it makes dotted names that nobody reads, and lets a hostile answer use more stack.
// Lowering it shows more raw JSON.
const maxDepth = 8

// Tree prints a JSON document for people, in the order of its fields. A scalar becomes a line
// "name value", a nested object gets dotted names, and a list of objects, or an object of objects,
// becomes a table. Tree knows no field by name, so it shows fields that a newer server adds. It
// takes nested objects of numbers alone for counters, and leaves out those that are 0.
func Tree(w io.Writer, document []byte) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	root, err := decode(d)
	if err != nil {
		return fmt.Errorf("output: not JSON: %w", err)
	}
	p := printer{w: w}
	p.value("", root, 0)
	p.flush()
	return p.err
}

// object is a JSON object that keeps the order of its fields.
type object []field

type field struct {
	name  string
	value any // object, []any, or a scalar
}

func decode(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := decode(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decode(d)
		if err != nil {
			return nil, err
		}
		o = append(o, field{fmt.Sprint(name), v})
	}
	_, err = d.Token()
	return o, err
}

// printer holds back scalars until a table interrupts them, so that they align.
type printer struct {
	w       io.Writer
	scalars Table
	some    bool // a table or scalars were printed before, so an empty line comes next
	err     error
}

func (p *printer) flush() {
	if len(p.scalars.rows) > 0 {
		p.table("", &p.scalars)
	}
}

func (p *printer) table(title string, t *Table) {
	if p.err != nil {
		return
	}
	if p.some {
		_, p.err = fmt.Fprintln(p.w)
	}
	p.some = true
	if title != "" && p.err == nil {
		_, p.err = fmt.Fprintln(p.w, title)
	}
	if p.err == nil {
		p.err = t.Print(p.w)
	}
}

func (p *printer) value(name string, v any, depth int) {
	switch v := v.(type) {
	case object:
		if rows, ok := records(v); ok && name != "" {
			if depth > 1 {
				rows = slices.DeleteFunc(rows, func(o object) bool { return counters(o[1:]) == none })
			}
			if len(rows) == 0 {
				p.scalars.Row(name, none)
				return
			}
			p.records(name, rows)
			return
		}
		if c := counters(v); c != "" && name != "" {
			p.scalars.Row(name, c)
			return
		}
		if depth >= maxDepth {
			p.scalars.Row(name, cell(v))
			return
		}
		for _, f := range v {
			inner := f.name
			if name != "" {
				inner = name + "." + f.name
			}
			p.value(inner, f.value, depth+1)
		}
	case []any:
		if rows, ok := listed(v); ok {
			p.records(name, rows)
			return
		}
		p.scalars.Row(name, cell(v))
	default:
		p.scalars.Row(name, cell(v))
	}
}

// records prints objects as lines of a table whose columns are their fields.
func (p *printer) records(title string, rows []object) {
	p.flush()
	var columns []string
	seen := map[string]int{}
	for _, row := range rows {
		for _, f := range row {
			if _, ok := seen[f.name]; !ok {
				seen[f.name] = len(columns)
				columns = append(columns, f.name)
			}
		}
	}
	var t Table
	line := make([]any, len(columns))
	for i, c := range columns {
		line[i] = strings.ToUpper(c)
	}
	t.Row(line...)
	for _, row := range rows {
		for i := range line {
			line[i] = "-"
		}
		for _, f := range row {
			line[seen[f.name]] = cell(f.value)
		}
		t.Row(line...)
	}
	p.table(title, &t)
}

// records reports whether o maps names to objects, as {"limits":{NAME:{...}}}
// does, and turns each pair into an object that begins with its name.
func records(o object) ([]object, bool) {
	var rows []object
	for _, f := range o {
		inner, ok := f.value.(object)
		if !ok {
			return nil, false
		}
		rows = append(rows, append(object{{"name", f.name}}, inner...))
	}
	return rows, len(rows) > 0
}

const none = "none"

// counters is an object of numbers alone on one line, without those that are 0; ""
// if it is anything else.
func counters(o object) string {
	var parts []string
	for _, f := range o {
		n, ok := f.value.(json.Number)
		if !ok {
			return ""
		}
		if n != "0" {
			parts = append(parts, f.name+"="+n.String())
		}
	}
	switch {
	case len(o) == 0:
		return ""
	case len(parts) == 0:
		return none
	}
	return strings.Join(parts, " ")
}

func listed(list []any) ([]object, bool) {
	var rows []object
	for _, v := range list {
		o, ok := v.(object)
		if !ok {
			return nil, false
		}
		rows = append(rows, o)
	}
	return rows, len(rows) > 0
}

// cell writes a value on one line.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case object:
		parts := make([]string, len(v))
		for i, f := range v {
			parts[i] = f.name + "=" + cell(f.value)
		}
		return or(strings.Join(parts, " "))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = cell(e)
		}
		return or(strings.Join(parts, ","))
	default:
		return or(fmt.Sprint(v))
	}
}

// or keeps an empty cell from being overlooked.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
