package httpapi

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Most requests are flat: a few plain fields in a query or an object, without escapes. These are read
// in one pass, and nothing of them is kept but the texts. Any other goes through the tree of
// node/internal/spec, which knows all forms and all faults: flat then says that it read nothing.

// mostDigits is how many digits a number of a flat request has at most: so many fit into an int64.
const mostDigits = 18

// flatFields are the fields of a flat request, and which of them were seen: a second one is no
// flat request.
type flatFields struct {
	q                           *request
	client, limit, cost, atMost bool
	mayAtMost                   bool // at_most is a field of the request
}

// chars is text as queries have it, or as bodies do.
type chars interface{ string | []byte }

// flatText sets a field that is a text.
func flatText[C chars](f *flatFields, name, value C) bool {
	switch string(name) {
	case "client":
		if !f.client {
			f.q.client, f.client = string(value), true
			return true
		}
	case "limit":
		if !f.limit {
			f.q.limit, f.limit = string(value), true
			return true
		}
	}
	return false
}

// flatWord sets a field that is a whole number, of digits alone, or true or false.
func flatWord[C chars](f *flatFields, name, value C) bool {
	switch string(name) {
	case "cost":
		if n, ok := flatNumber(value); ok && !f.cost {
			f.q.cost, f.cost = n, true
			return true
		}
	case "at_most":
		if truth := string(value) == "true"; f.mayAtMost && !f.atMost && (truth || string(value) == "false") {
			f.q.atMost, f.atMost = truth, true
			return true
		}
	}
	return false
}

// flatNumber reads a number of digits alone. A sign, a fraction and an exponent are for the tree, which
// knows what is wrong with them.
func flatNumber[C chars](digits C) (n int64, ok bool) {
	if len(digits) == 0 || len(digits) > mostDigits {
		return 0, false
	}
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// readFlatQuery reads a query of plain fields into q, and reports whether it is one. Otherwise q is
// as it was.
func readFlatQuery(query string, q *request, mayAtMost bool) bool {
	in := *q
	f := flatFields{q: &in, mayAtMost: mayAtMost}
	for more := true; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !plainQuery(value) || !flatText(&f, name, value) && !flatWord(&f, name, value) {
			return false
		}
	}
	*q = in
	return true
}

// plainQuery reports whether a value of a query stands for itself.
func plainQuery(value string) bool {
	for i := range len(value) {
		if c := value[i]; c == '%' || c == '+' || c == ';' || c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// flatBody reads an object of plain fields. Each of its methods moves at past what it took, and leaves
// it where it is if it took nothing.
type flatBody struct {
	text []byte
	at   int
}

// readFlatBody reads an object of plain fields into q, and reports whether it is one. Otherwise q is
// as it was. It keeps no part of the text.
func readFlatBody(text []byte, q *request, mayAtMost bool) bool {
	in := *q
	f := flatFields{q: &in, mayAtMost: mayAtMost}
	b := flatBody{text: text}
	if !b.sign('{') {
		return false
	}
	for more := true; more; more = b.sign(',') {
		name, ok := b.string()
		if !ok || !b.sign(':') || !b.member(&f, name) {
			return false
		}
	}
	if !b.sign('}') || b.next() != 0 || b.at < len(b.text) {
		return false
	}
	*q = in
	return true
}

// next is the next sign that is no blank, 0 at the end.
func (b *flatBody) next() byte {
	for ; b.at < len(b.text); b.at++ {
		switch c := b.text[b.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// sign takes a sign, if it is the next one.
func (b *flatBody) sign(c byte) bool {
	if b.next() != c {
		return false
	}
	b.at++
	return true
}

// string takes a string of ASCII without escapes.
func (b *flatBody) string() (value []byte, ok bool) {
	if !b.sign('"') {
		return nil, false
	}
	begin := b.at
	for ; b.at < len(b.text); b.at++ {
		switch c := b.text[b.at]; {
		case c == '"':
			b.at++
			return b.text[begin : b.at-1], true
		case c == '\\' || c < ' ' || c >= 0x80:
			return nil, false
		}
	}
	return nil, false
}

// member takes the value of a member: a string, or a word of small letters and digits. Everything else
// begins with another sign, so its word is empty and no field takes it.
func (b *flatBody) member(f *flatFields, name []byte) bool {
	if b.next() == '"' {
		value, ok := b.string()
		return ok && flatText(f, name, value)
	}
	begin := b.at
	for ; b.at < len(b.text); b.at++ {
		if c := b.text[b.at]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			break
		}
	}
	word := b.text[begin:b.at]
	if len(word) > 1 && word[0] == '0' {
		return false // JSON has no such number
	}
	return flatWord(f, name, word)
}

// append appends the decision as encoding/json writes it, but does not allocate. A test
// compares the two.
func (d *decision) append(b []byte) []byte {
	b = strconv.AppendBool(append(b, `{"allowed":`...), d.Allowed)
	b = appendText(append(b, `,"limit":`...), d.Limit)
	if d.quota != nil {
		b = strconv.AppendInt(append(b, `,"quota":`...), d.Quota, 10)
		b = strconv.AppendInt(append(b, `,"window_ms":`...), d.Window, 10)
		b = strconv.AppendInt(append(b, `,"burst":`...), d.Burst, 10)
		b = strconv.AppendInt(append(b, `,"remaining":`...), d.Remaining, 10)
	}
	b = strconv.AppendInt(append(b, `,"retry_after_ms":`...), d.RetryAfter, 10)
	b = strconv.AppendInt(append(b, `,"reset_after_ms":`...), d.ResetAfter, 10)
	if d.Reason != "" {
		b = appendText(append(b, `,"reason":`...), d.Reason)
	}
	if d.Note != "" {
		b = appendText(append(b, `,"note":`...), d.Note)
	}
	if d.Degraded {
		b = append(b, `,"degraded":true`...)
	}
	if d.Cost != nil {
		b = strconv.AppendInt(append(b, `,"cost":`...), *d.Cost, 10)
	}
	for i := range d.Limits {
		if i == 0 {
			b = append(b, `,"limits":[`...)
		} else {
			b = append(b, ',')
		}
		b = d.Limits[i].append(b)
	}
	if len(d.Limits) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendText appends a text as encoding/json writes it. Nearly all are plain ASCII and need no escape.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(text)
			if err != nil { // a string has a form in JSON
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
