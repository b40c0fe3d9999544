package envoyrls_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// FuzzRead reads files of rules that anybody may have written: all of a file holds, or nothing of it,
// and the fault has a text.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"domain: d\ndescriptors:\n  - key: k\n    value: v\n    rate_limit: {unit: second, requests_per_unit: 5}\n",
		"domain: d\ndescriptors:\n  - key: k\n    rate_limit: {unlimited: true}\n    descriptors:\n      - key: l\n        value: 'a*'\n",
		"domain: d\ndescriptors: &a\n  - key: k\n    descriptors: *a\n",
		"domain: d\ndescriptors:\n  - key: k\n    rate_limit: {unit: month, requests_per_unit: 4294967296}\n    shadow_mode: true\n",
		"domain: \"\"\n", "domain: [d]\n", "{", "\xff", "a: &a [*a]\n", "domain: d\ndomain: e\n",
	} {
		f.Add(text, "domain: other\ndescriptors: []\n", true)
		f.Add(text, text, false)
	}
	f.Fuzz(func(t *testing.T, one, other string, merge bool) {
		files := []envoyrls.File{{Name: "one.yaml", Text: []byte(one)}, {Name: "other.yaml", Text: []byte(other)}}
		rules, err := envoyrls.Read(files, envoyrls.Options{MergeDomains: merge})
		if (rules == nil) == (err == nil) {
			t.Fatalf("rules %v beside %v", rules, err)
		}
		if err != nil && err.Error() == "" {
			t.Error("a fault without a text")
		}
	})
}
