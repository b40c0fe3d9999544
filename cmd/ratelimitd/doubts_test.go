package main

import (
	"strings"
	"testing"
)

// A selector that can hardly mean what it says is taken, and told with its place.
func TestCheckWarnsAboutSelectorsThatCanHardlyBeMeant(t *testing.T) {
	path := write(t, "c.yaml", `limits:
  api:
    limit: 5
    window: 1m
    overrides:
      - {client: alice, limit: 7}
      - {client: 010.0.0.1, block: true}
      - prefix: [ok-, 198.51.]
        limit: 3
      - {cidr: 10.9.0.0/8, limit: 2}
      - {client: 192.0.2.7, limit: 1}
      - {cidr: 192.0.2.7, limit: 2}
`)
	stdout, stderr, err := runIn(t, nil, "-check", path)
	if err != nil || !strings.Contains(stdout, "the settings are fine") {
		t.Fatalf("%v: %s", err, stdout)
	}
	for _, want := range []string{":7: limits.api.overrides[1].client ", ":8: limits.api.overrides[2].prefix ", ":10: limits.api.overrides[3].cidr ", ":12: limits.api.overrides[5].cidr "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no warning has %q:\n%s", want, stderr)
		}
	}
	if got := strings.Count(stderr, "hardly mean"); got != 4 {
		t.Errorf("%d warnings:\n%s", got, stderr)
	}
}

func TestSelectorsThatNobodyCanMeanAreRefusedWithTheirLine(t *testing.T) {
	for _, selector := range []string{`client: "*"`, `client: trial-*`, `prefix: trial-*`, `prefix: "*"`, `client: 10.0.0.0/8`, `prefix: 10.0.0.0/8`, `client: "10.0.0.1, 10.0.0.2"`, `client: 192.0.2.7:443`, `cidr: 64:ff9b::/96`} {
		path := write(t, "c.yaml", "limits:\n  api:\n    limit: 5\n    window: 1m\n    overrides:\n      - {client: 192.0.2.7, limit: 9}\n      - limit: 3\n        "+selector+"\n")
		if _, stderr, err := runIn(t, nil, "-check", path); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), ":8: limits.api.overrides[1].") || stderr != "" {
			t.Errorf("%s: got %v, and the log %s", selector, err, stderr)
		}
	}
}
