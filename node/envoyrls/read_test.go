package envoyrls_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// rule is a file with one rule, with more fields of its descriptor and of its rate_limit.
func rule(fields, limit string) string {
	return "domain: d\ndescriptors:\n  - key: k\n    " + fields + "\n    rate_limit: {unit: hour, requests_per_unit: 5" + limit + "}\n"
}

func TestFilesOfEnvoysServiceAreReadUnchanged(t *testing.T) {
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	var all []envoyrls.File
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, envoyrls.File{Name: name, Text: text})
	}
	rules, err := envoyrls.Read(all, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rules.Domains() != len(names) || rules.Len() != 18 {
		t.Errorf("%d domains with %d rules", rules.Domains(), rules.Len())
	}
}

func TestFaultsNameFileLineAndField(t *testing.T) {
	for _, c := range []struct {
		says  string
		files []string
	}{
		{"1.yaml is empty", []string{"# nothing\n"}},
		{`1.yaml:1: domain "": must be given`, []string{"descriptors: []\n"}},
		{`1.yaml:1: domian is unknown: known are domain, descriptors`, []string{"domian: d\n"}},
		{`2.yaml:1: domain "d": is in 1.yaml already`, []string{"domain: d\n", "domain: d\n"}},
		{`1.yaml:2: descriptors "x": must be a list`, []string{"domain: d\ndescriptors: x\n"}},
		{`1.yaml:3: descriptors[0].key "": must be given`, []string{"domain: d\ndescriptors:\n  - value: v\n"}},
		{`1.yaml:4: descriptors[1] "k_v": is there already`, []string{"domain: d\ndescriptors:\n  - {key: k, value: v}\n  - {key: k, value: v}\n"}},
		{`1.yaml:4: descriptors[1] "k": is there already`, []string{"domain: d\ndescriptors:\n  - {key: k}\n  - {key: k}\n"}},
		{`1.yaml:4: descriptors[1] "k_v*": is there already`, []string{"domain: d\ndescriptors:\n  - {key: k, value: v*}\n  - {key: k, value: v*}\n"}},
		{`1.yaml:6: descriptors[0].descriptors[1] "k.b": is there already`, []string{"domain: d\ndescriptors:\n  - key: k\n    descriptors:\n      - {key: b}\n      - {key: b}\n"}},
		{`1.yaml:4: descriptors[0].shadow_mode "maybe": must be true or false`, []string{rule("shadow_mode: maybe", "")}},
		{`1.yaml:4: descriptors[0].sleep is unknown`, []string{rule("sleep: 5", "")}},
		{`1.yaml:5: descriptors[0].rate_limit.burst is unknown`, []string{rule("value: v", ", burst: 5")}},
		{`1.yaml:4: descriptors[0].share_threshold true: needs a value with a *`, []string{rule("share_threshold: true", "")}},
		{`descriptors[0].rate_limit.requests_per_unit "-1": must be a whole number`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: hour, requests_per_unit: -1}}\n"}},
		{`descriptors[0].rate_limit.requests_per_unit "5": must be a whole number`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: hour, requests_per_unit: \"5\"}}\n"}},
		{`descriptors[0].rate_limit.requests_per_unit "4294967296": must be a whole number`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: hour, requests_per_unit: 4294967296}}\n"}},
		{`descriptors[0].rate_limit.unit "fortnight": must be second, minute`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: fortnight, requests_per_unit: 1}}\n"}},
		{`descriptors[0].rate_limit.unit "unknown": must be second, minute`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: unknown, requests_per_unit: 1}}\n"}},
		{`descriptors[0].rate_limit.unit "": must be second, minute`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {requests_per_unit: 1}}\n"}},
		{`descriptors[0].rate_limit.unit "day": must be left out where unlimited`, []string{"domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: day, unlimited: true}}\n"}},
		{`descriptors[0].rate_limit.replaces "me": is the name of this rule`, []string{rule("value: v", ", name: me, replaces: [{name: me}]")}},
		{`descriptors[0].rate_limit.replaces[0].name "": must be the name`, []string{rule("value: v", ", replaces: [{name: ''}]")}},
		{`descriptors[0].metadata "x": must be a mapping`, []string{rule("metadata: x", "")}},
		{`descriptors[0].metadata.ratelimiter.brust is unknown`, []string{rule("metadata: {ratelimiter: {brust: 5}}", "")}},
		{`descriptors[0].metadata.ratelimiter.burst 0: must be at least 1`, []string{rule("metadata: {ratelimiter: {burst: 0}}", "")}},
		{`descriptors[0].metadata.ratelimiter.charge "never": must be all`, []string{rule("metadata: {ratelimiter: {charge: never}}", "")}},
		{`is not for quota_mode`, []string{rule("metadata: {ratelimiter: {charge: admitted}}\n    quota_mode: true", "")}},
		{`burst 2: `, []string{rule("metadata: {ratelimiter: {burst: 2, algorithm: fixed_window}}", "")}},
		{`1.yaml:2: found a tab character`, []string{"domain: d\n\tdescriptors: []\n"}},
	} {
		rules, err := envoyrls.Read(files(c.files...), envoyrls.Options{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q:\ngot  %v\nwant %s", c.files, err, c.says)
		}
		if rules != nil {
			t.Errorf("%q: there are rules beside the error", c.files)
		}
	}
}

func TestAllFaultsOfAllFilesAreTold(t *testing.T) {
	_, err := envoyrls.Read(files("domain: d\nx: 1\ny: 2\n", "nodomain: 1\n", "a: [\n"), envoyrls.Options{})
	for _, part := range []string{"1.yaml:2: x", "1.yaml:3: y", "2.yaml:1: nodomain", "3.yaml:"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %s in it", err, part)
		}
	}
}

func TestYAML11IsUnderstood(t *testing.T) {
	text := `
domain: 7
descriptors:
  - &base
    key: 1
    value: 10
    shadow_mode: yes
    quota_mode: Off
    detailed_metric:
    rate_limit: {unit: Hour, requests_per_unit: 1_000}
  - <<: *base
    value: 0x10
  - <<: [*base, {quota_mode: true}]
    value: 30
    descriptors:
`
	if rules := read(t, text); rules.Len() != 3 {
		t.Errorf("%d rules", rules.Len())
	}
	if _, err := envoyrls.Read(files("domain: d\ndescriptors:\n  - <<: 5\n    key: k\n"), envoyrls.Options{}); err == nil || !strings.Contains(err.Error(), "must be a mapping, or a list of them") {
		t.Errorf("got %v", err)
	}
}

func TestDomainsMayBeMerged(t *testing.T) {
	two := files("domain: d\ndescriptors: [{key: a, rate_limit: {unit: day, requests_per_unit: 1}}]\n", "domain: d\ndescriptors: [{key: b, rate_limit: {unit: day, requests_per_unit: 1}}]\n")
	rules, err := envoyrls.Read(two, envoyrls.Options{MergeDomains: true})
	if err != nil || rules.Len() != 2 || rules.Domains() != 1 || !rules.Has("d") || rules.Has("e") {
		t.Fatalf("%v, %v", rules, err)
	}
	if _, err := envoyrls.Read(append(two, two[0]), envoyrls.Options{MergeDomains: true}); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("got %v", err)
	}
}
