package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// policies are those of a file with nothing wrong with it.
func policies(t *testing.T, text string, flags ...string) map[string]node.Policy {
	t.Helper()
	s := config.Default()
	if err := s.Parse("f.yaml", []byte(text)); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	for i := 0; i < len(flags); i += 2 {
		if err := s.Set(flags[i], flags[i+1], "flag -"+flags[i]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Policies()
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return got
}

func TestLimitsUseEachOtherInAnyOrder(t *testing.T) {
	got := policies(t, `
limits:
  a: {use: b, limit: 7}
  b: {use: c, max_overshoot: 0.5}
  c:
    limit: 5
    window: 1m
    overrides:
      - client: [alice, 7, "8"]
        cidr: 10.0.0.0/8
        use: big
      - {prefix: "bot-", block: true}
  big: {limit: 1000, window: 1h}
`)
	overrides := []node.Override{
		{Clients: []string{"alice", "7", "8"}, CIDRs: []string{"10.0.0.0/8"}, Limit: 1000, Window: time.Hour},
		{Prefixes: []string{"bot-"}, Access: node.Blocked},
	}
	for name, want := range map[string]node.Policy{
		"a": {Limit: 7, Window: time.Minute, MaxOvershoot: 0.5, Overrides: overrides},
		"b": {Limit: 5, Window: time.Minute, MaxOvershoot: 0.5, Overrides: overrides},
		"c": {Limit: 5, Window: time.Minute, Overrides: overrides},
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: got %+v, want %+v", name, got[name], want)
		}
	}
}

func TestTheDefaultLimitIsUsedAsFlagsLeaveIt(t *testing.T) {
	const plain = "limits: {a: {use: default, burst: 3}}\n"
	for _, c := range []struct {
		text  string
		flags []string
		a, d  node.Policy
	}{
		{
			plain, nil,
			node.Policy{Limit: 100, Window: time.Minute, Burst: 3, MaxOvershoot: 0.1},
			node.Policy{Limit: 100, Window: time.Minute, MaxOvershoot: 0.1},
		},
		{
			plain + "window: 10\n",
			[]string{"limit", "9"},
			node.Policy{Limit: 9, Window: 10 * time.Second, Burst: 3, MaxOvershoot: 0.1},
			node.Policy{Limit: 9, Window: 10 * time.Second, MaxOvershoot: 0.1},
		},
		{ // what the flags do not say is as the file has it, not as it is without one
			"limits:\n  a: {use: default}\n  default: {use: b, limit: 8}\n  b: {limit: 1, window: 20, burst: 2}\n",
			[]string{"limit", "9"},
			node.Policy{Limit: 9, Window: 20 * time.Second, Burst: 2},
			node.Policy{Limit: 9, Window: 20 * time.Second, Burst: 2},
		},
		{ // both spellings, each for fields of its own
			"limits: {default: {limit: 8, burst: 2}, a: {limit: 1, window: 1}}\nwindow: 30\n", nil,
			node.Policy{Limit: 1, Window: time.Second},
			node.Policy{Limit: 8, Window: 30 * time.Second, Burst: 2},
		},
	} {
		got := policies(t, c.text, c.flags...)
		if !reflect.DeepEqual(got["a"], c.a) || !reflect.DeepEqual(got["default"], c.d) {
			t.Errorf("%s %v\ngot  %+v\nwant %+v and %+v", c.text, c.flags, got, c.a, c.d)
		}
	}
}

func TestLimitsThatCannotBeReadSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"limits:\n  a: {use: a}\n": `f.yaml:2: limits.a.use "a": goes in a circle: a uses a`,
		"limits:\n  a: {use: b}\n  b:\n    limit: 1\n    use: a\n  c: {use: a}\n":                `f.yaml:5: limits.b.use "a": goes in a circle: b uses a, which uses b`,
		"limits:\n  a: {use: b}\n  b: {use: c}\n  c: {use: a}\n":                                 `f.yaml:4: limits.c.use "a": goes in a circle: c uses a, which uses b, which uses c`,
		"limits:\n  a: {limit: 1, window: 1, overrides: [{client: x, use: b}]}\n  b: {use: a}\n": `f.yaml:3: limits.b.use "a": goes in a circle: b uses a, which uses b`,
		"limits:\n  a: {use: logn}\n  login: {limit: 1, window: 1}\n":                            `f.yaml:2: limits.a.use "logn": is no limit: there are a, login; did you mean login?`,
		"limits:\n  a: {limit: 1, window: 1d}\n":                                                 `f.yaml:2: limits.a.window "1d": has a unit that is none`,
		"limits:\n  a: {limit: '1', window: 1}\n":                                                `f.yaml:2: limits.a.limit "1": must be a whole number, below 2^63, without quotes`,
		"limits:\n  a: {limit: 0, window: 1}\n":                                                  `f.yaml:2: limits.a.limit 0: must be at least 1; to let nobody pass write block: true`,
		"limits:\n  a:\n    overrides:\n    - client: x\n      cidrr: y\n      limit: 1\n":       `f.yaml:5: limits.a.overrides[0].cidrr is unknown: known are client, prefix, cidr`,
		"limits:\n  a:\n    overrides:\n    - client: x\n      limit: 1\n    -\n":                `f.yaml:6: limits.a.overrides[1] null: must be a mapping`,
		"limits:\n  a: &a {limit: 1}\n  b:\n    <<: *a\n    window: 1\n":                         `f.yaml:4: limits.b."<<" is not supported: to build on another limit write use: NAME`,
		"limits:\n  a: {limit: !!int '1'}\n":                                                     `f.yaml:2: limits.a.limit has the tag "!!int": tags are not supported`,
		"limits: !x {}\n":                                                                        `f.yaml:1: limits has the tag "!x"`,
		"name: [a, *b]\n":                                                                        "f.yaml: unknown anchor 'b' referenced",
		"name: &a [*a]\n":                                                                        "f.yaml:1: name[0][0]",
	} {
		s := config.Default()
		err := s.Parse("f.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestFaultsOfAllLimitsAreToldAtOnce(t *testing.T) {
	s := config.Default()
	err := s.Parse("f.yaml", []byte("brust: 1\nlimits:\n  a: {limit: x, use: nope}\n  b: {window: x}\n  c: {use: b}\n"))
	if err == nil || strings.Count(err.Error(), "f.yaml:") != 4 {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatUnfoldsToMuchIsRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i <= 9; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	for name, text := range map[string]string{
		"aliases of aliases": bomb.String(),
		"an alias in itself": "a: &a [*a, *a, *a, *a]\n",
		"many lists":         "limits: " + strings.Repeat("[", 1<<20),
		"nested lists":       "limits: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"nested mappings":    "limits: " + strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000),
	} {
		begin := time.Now()
		s := config.Default()
		err := s.Parse("f.yaml", []byte(text))
		if err == nil || len(err.Error()) > 10_000 {
			t.Errorf("%s: got %.200v", name, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestAnAliasRepeatsWhatItNames(t *testing.T) {
	got := policies(t, "limits:\n  a: &a {limit: 1, window: 1, overrides: &o [{client: x, block: true}]}\n  b: *a\n  c: {limit: 2, window: 1, overrides: *o}\n")
	overrides := []node.Override{{Clients: []string{"x"}, Access: node.Blocked}}
	if !reflect.DeepEqual(got["b"], got["a"]) || !reflect.DeepEqual(got["c"].Overrides, overrides) {
		t.Errorf("got %+v", got)
	}
}

// overrides is a file of one limit with n overrides.
func overrides(n int) string {
	var b strings.Builder
	b.WriteString("limits:\n  a:\n    limit: 10\n    window: 1m\n    overrides:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - client: customer-%06d\n        limit: %d\n        burst: %d\n", i, i+1, i+2)
	}
	return b.String()
}

func BenchmarkAFileOfOverrides(b *testing.B) {
	text := []byte(overrides(node.MaxOverrides))
	for b.Loop() {
		s := config.Default()
		if err := s.Parse("f.yaml", text); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAFileHoldsAsManyOverridesAsALimit(t *testing.T) {
	got := policies(t, overrides(node.MaxOverrides))["a"].Overrides
	last := node.Override{Clients: []string{"customer-009999"}, Limit: 10_000, Burst: 10_001}
	if len(got) != node.MaxOverrides || !reflect.DeepEqual(got[len(got)-1], last) {
		t.Errorf("got %d, the last of them %+v", len(got), got[len(got)-1])
	}
	s := config.Default()
	err := s.Parse("f.yaml", []byte(overrides(node.MaxOverrides+1)))
	if err == nil || err.Error() != "f.yaml:6: limits.a.overrides has 10001 entries: must be at most 10000; one entry may list many clients" {
		t.Errorf("got %v", err)
	}
}
