package spec_test

import (
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

func TestJSONIsOneObjectAndNothingElse(t *testing.T) {
	nested := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	for text, want := range map[string]string{
		"":                                   "is empty: it must be a JSON object",
		" \n":                                "is empty: it must be a JSON object",
		"limit=5":                            "must be a JSON object",
		"null":                               "must be a JSON object",
		"[]":                                 "must be a JSON object",
		`"a"`:                                "must be a JSON object",
		"{\"a\":\"\xff\"}":                   "must be valid UTF-8",
		"{\"\xff\":1}":                       "must be valid UTF-8",
		`{"a":"\ud800"}`:                     `must be valid UTF-8: \ud800 is half a character`,
		`{"a":"x\uDFFFx"}`:                   `must be valid UTF-8: \uDFFF is half a character`,
		`{"a":"\ud800\u0041"}`:               `must be valid UTF-8: \ud800 is half a character`,
		`{"a":"\ud800\ud800\udc00"}`:         `must be valid UTF-8: \ud800 is half a character`,
		`{"a":"\udc00\ud800"}`:               `must be valid UTF-8: \udc00 is half a character`,
		`{"a":"\ud83d\ude00\ude00"}`:         `must be valid UTF-8: \ude00 is half a character`,
		`{"a":"\ud800 \udc00"}`:              `must be valid UTF-8: \ud800 is half a character`,
		`{"a":"\\\\\ud800"}`:                 `must be valid UTF-8: \ud800 is half a character`,
		`{"\udbff":1}`:                       `must be valid UTF-8: \udbff is half a character`,
		`{"a":[{"b":"\udbff"}]}`:             `must be valid UTF-8: \udbff is half a character`,
		"\ufeff{}":                           "must be a JSON object",
		`{"a":1`:                             "ends in the middle of the JSON object",
		`{"a":[1`:                            "ends in the middle of the JSON object",
		`{"a":`:                              "ends in the middle of the JSON object",
		`{"a":1,}`:                           "is not JSON: invalid character",
		`{"a" 1}`:                            "is not JSON: invalid character",
		`{a:1}`:                              "is not JSON: invalid character",
		`{"a":[1,]}`:                         "is not JSON: invalid character",
		`{"a":[1}`:                           "is not JSON: invalid character",
		`{"a":01}`:                           "is not JSON: invalid character",
		`{"a":1}{}`:                          "has something after the JSON object",
		`{"a":1} x`:                          "has something after the JSON object",
		nested(spec.MaxDepth):                "is nested more than 16 deep",
		`{"a":` + strings.Repeat("[", 1<<20): "is nested more than 16 deep",
		strings.Repeat(`{"a":`, 1<<18):       "is nested more than 16 deep",
	} {
		if _, err := spec.ParseJSON([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"{}", " {\"a\": {\"b\": [1, null, true, \"x\"]}, \"a\": 2.5e3}\n", nested(spec.MaxDepth - 1), `{"a":"\\ud800 \ufffd \ud83d\ude00"}`} {
		if _, err := spec.ParseJSON([]byte(text)); err != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestAPathHasTheLineOfWhatIsThere(t *testing.T) {
	v := spec.Value{Kind: spec.Mapping, Line: 1, Members: []spec.Member{
		{Name: "limit", Line: 2, Value: spec.Value{Line: 2}},
		{Name: "overrides", Line: 3, Value: spec.Value{Kind: spec.List, Line: 4, Items: []spec.Value{
			{Kind: spec.Mapping, Line: 4},
			{Kind: spec.Mapping, Line: 5, Members: []spec.Member{{Name: "cidr", Line: 6, Value: spec.Value{Kind: spec.List, Line: 6, Items: []spec.Value{{Line: 7}}}}}},
		}}},
	}}
	for path, want := range map[string]int{
		"": 1, "limit": 2, "window": 1, "overrides": 3, "overrides[0]": 4, "overrides[0].cidr": 4, "overrides[1]": 5, "overrides[1].cidr": 6,
		"overrides[1].cidr[0]": 7, "overrides[1].cidr[1]": 6, "overrides[2].cidr": 3, "overrides[x]": 3, "limit.x": 2, "limit[0]": 2, "[": 1, ".": 1,
	} {
		if got := v.LineOf(path); got != want {
			t.Errorf("%q: got %d, want %d", path, got, want)
		}
	}
}

// What comes out is what was sent: U+FFFD stands only where somebody sent it.
func FuzzStringsAreWhatWasSent(f *testing.F) {
	for _, text := range []string{`a`, `\ud800`, `\ud83d\ude00`, `\\ud800`, `\ud800\ud800\udc00`, `\uD8`, "\xff", "\xed\xa0\x80", `\ufffd`, "\ufffd", `\`, `\"`, `\ud800\n`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := spec.ParseJSON([]byte(`{"client":"` + text + `"}`))
		if err != nil || len(v.Members) != 1 || v.Members[0].Value.Kind != spec.String {
			return
		}
		sent := strings.Count(text, "\ufffd") + strings.Count(strings.ToLower(text), `\ufffd`)
		if got := strings.Count(v.Members[0].Value.Text, "\ufffd"); got > sent {
			t.Errorf("%q came out as %q", text, v.Members[0].Value.Text)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"limit":5,"window":"day","overrides":[{"client":["a"],"use":"login"}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		v, err := spec.ParseJSON(text)
		if err != nil {
			return
		}
		var r spec.Reader
		l := r.Limit("", v, spec.BaseOf(others))
		c := r.Inline("", v)
		_, _, _ = l.Policy(), c.Policy(), r.Err()
	})
}
