package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON makes a tree of text, which must be one JSON object. It is stricter than the
// standard decoder, which takes repeated keys, any capitals, and anything after the object.
// An error is the end of a sentence that begins with the name of the text, such as "must be
// valid UTF-8".
func ParseJSON(text []byte) (Value, error) {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return Value{}, errors.New("is empty: it must be a JSON object")
	case !utf8.Valid(text):
		return Value{}, errors.New("must be valid UTF-8")
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return Value{}, errors.New("must be a JSON object, without a byte order mark before it")
	}
	if half := halfSurrogate(text); half != nil {
		return Value{}, fmt.Errorf("must be valid UTF-8: %s is half a character", half)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return Value{}, errors.New("must be a JSON object")
	}
	v, err := jsonMapping(d, 1)
	if err != nil {
		return Value{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("has something after the JSON object")
	}
	return v, nil
}

// halfSurrogate finds an escaped surrogate without its other half, nil if there is none. The
// decoder puts U+FFFD in its place, so that different ids would become one.
func halfSurrogate(text []byte) []byte {
	const escape = len(`\ud800`)
	for i := bytes.IndexByte(text, '\\'); i >= 0 && i < len(text); {
		switch half := surrogate(text[i:]); {
		case half == 0 && text[i] == '\\':
			i += 2 // with what it escapes, which may be a backslash
		case half == 0:
			i++
		case half < lowSurrogates && surrogate(text[i+escape:]) >= lowSurrogates:
			i += 2 * escape
		default:
			return text[i : i+escape]
		}
	}
	return nil
}

// lowSurrogates are the second halves. The first halves lie just below them.
const lowSurrogates = 0xdc00

// surrogate returns the surrogate whose escape the text begins with, 0 if the text begins otherwise.
// Go's decoder reads a surrogate's escape with letters of either case, and so does ParseUint.
func surrogate(text []byte) (half uint64) {
	if len(text) < len(`\ud800`) || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil || !utf16.IsSurrogate(rune(r)) {
		return 0
	}
	return r
}

// jsonMapping reads the rest of an object, after its opening brace. depth counts the objects and
// lists around it, and this one.
func jsonMapping(d *json.Decoder, depth int) (Value, error) {
	v := Value{Kind: Mapping}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return v, malformed(err)
		}
		name, _ := key.(string) // the decoder accepts nothing else here
		member, err := jsonValue(d, depth+1)
		if err != nil {
			return v, err
		}
		v.Members = append(v.Members, Member{Name: name, Value: member})
	}
	_, err := d.Token()
	return v, malformed(err)
}

// jsonList reads the rest of an array, after its opening bracket. depth is as in jsonMapping.
func jsonList(d *json.Decoder, depth int) (Value, error) {
	v := Value{Kind: List}
	for d.More() {
		item, err := jsonValue(d, depth+1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
	}
	_, err := d.Token()
	return v, malformed(err)
}

// jsonValue reads one value of any kind. It refuses a document that nests too deep before it reads
// on, because each level takes stack.
func jsonValue(d *json.Decoder, depth int) (Value, error) {
	token, err := d.Token()
	if err != nil {
		return Value{}, malformed(err)
	}
	switch t := token.(type) {
	case string:
		return Value{Kind: String, Text: t}, nil
	case json.Number:
		return Value{Kind: Number, Text: t.String()}, nil
	case bool:
		return Value{Kind: Bool, Text: fmt.Sprint(t)}, nil
	case nil:
		return Value{Kind: Null}, nil
	}
	switch {
	case depth > MaxDepth:
		return Value{}, fmt.Errorf("is nested more than %d deep", MaxDepth)
	case token == json.Delim('{'):
		return jsonMapping(d, depth)
	default:
		return jsonList(d, depth)
	}
}

// malformed puts the decoder's errors into words that follow "the body". The decoder says "EOF" or
// "unexpected EOF" for one fault, by where it happens.
func malformed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ends in the middle of the JSON object")
	default:
		return fmt.Errorf("is not JSON: %w", err)
	}
}
