package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Scenarios are written by hand and read in reports. So durations are strings like
// "50ms", names are in snake case, and what is zero is left out.

var durationType = reflect.TypeFor[time.Duration]()

// MarshalJSON implements json.Marshaler.
func (sc Scenario) MarshalJSON() ([]byte, error) { return encode(reflect.ValueOf(sc)) }

// UnmarshalJSON implements json.Unmarshaler. It sets what is named and leaves the
// rest; a name that a scenario does not have, and a value that does not fit, are
// refused with their path, like streams[1].rate.
func (sc *Scenario) UnmarshalJSON(data []byte) error {
	return decode(data, reflect.ValueOf(sc).Elem(), "")
}

func encode(v reflect.Value) ([]byte, error) {
	var b bytes.Buffer
	switch {
	case v.Type() == durationType:
		return json.Marshal(v.Interface().(time.Duration).String()) //nolint:errcheck // just compared
	case v.Kind() == reflect.Pointer:
		return encode(v.Elem())
	case v.Kind() == reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			item, err := encode(v.Index(i))
			if err != nil {
				return nil, err
			}
			b.Write(item)
		}
		b.WriteByte(']')
	case v.Kind() == reflect.Struct:
		b.WriteByte('{')
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				continue
			}
			value, err := encode(v.Field(i))
			if err != nil {
				return nil, err
			}
			if b.Len() > 1 {
				b.WriteByte(',')
			}
			_, _ = fmt.Fprintf(&b, "%q:%s", nameOf(v.Type().Field(i)), value)
		}
		b.WriteByte('}')
	default:
		return json.Marshal(v.Interface())
	}
	return b.Bytes(), nil
}

func decode(data json.RawMessage, v reflect.Value, path string) error {
	switch {
	case v.Type() == durationType:
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return fault(path, errors.New(`must be a duration like "50ms"`))
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return fault(path, err)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decode(data, v.Elem(), path)
	case v.Kind() == reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return fault(path, errors.New("must be a list"))
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case v.Kind() == reflect.Struct:
		return decodeFields(data, v, path)
	default:
		if err := json.Unmarshal(data, v.Addr().Interface()); err != nil {
			return fault(path, fmt.Errorf("%s is no %s", data, v.Kind()))
		}
	}
	return nil
}

func decodeFields(data json.RawMessage, v reflect.Value, path string) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return fault(path, errors.New("must be an object"))
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		fields[nameOf(v.Type().Field(i))] = i
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		i, known := fields[name]
		if !known {
			return fault(at, fmt.Errorf("no such field; there are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
		}
		if err := decode(given[name], v.Field(i), at); err != nil {
			return err
		}
	}
	return nil
}

func fault(path string, err error) error {
	if path == "" {
		path = "the whole"
	}
	return fmt.Errorf("sim: scenario: %s: %w", path, err)
}

// nameOf is a field's name in JSON: its tag's, or its own in snake case.
func nameOf(f reflect.StructField) string {
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
		return tag
	}
	var b strings.Builder
	for i, r := range f.Name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
