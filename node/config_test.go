package node_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// fields lists the fields that err blames, in the order of its text.
func fields(err error) []string {
	var out []string
	var field *node.FieldError
	switch e := err.(type) { //nolint:errorlint // this walks the whole tree
	case nil:
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			out = append(out, fields(err)...)
		}
	default:
		if errors.As(err, &field) && errors.Unwrap(err) == nil {
			return []string{field.Field}
		}
		return fields(errors.Unwrap(err))
	}
	return out
}

func TestBadConfigurationIsRefusedByField(t *testing.T) {
	good := func() node.Config { return node.Config{Name: "a", Limit: 10, Window: time.Second} }
	var network node.Memory
	for _, c := range []struct {
		name  string
		spoil func(*node.Config)
		want  []string
	}{
		{"name with a dot", func(c *node.Config) { c.Name = "a.b" }, []string{"name"}},
		{"name too long", func(c *node.Config) { c.Name = strings.Repeat("n", 65) }, []string{"name"}},
		{"cluster with a space", func(c *node.Config) { c.Cluster = "a b" }, []string{"cluster"}},
		{"prefix with an empty token", func(c *node.Config) { c.SubjectPrefix = "a..b" }, []string{"subject_prefix"}},
		{"prefix with a wildcard", func(c *node.Config) { c.SubjectPrefix = "a.*" }, []string{"subject_prefix"}},
		{"negative flush", func(c *node.Config) { c.Flush = -1 }, []string{"flush"}},
		{"flush too long", func(c *node.Config) { c.Flush = 201 * time.Millisecond }, []string{"flush"}},
		{"negative cap", func(c *node.Config) { c.MaxClients = -1 }, []string{"max_clients"}},
		{"cap too high", func(c *node.Config) { c.MaxClients = 1<<31 - 1; c.MaxClients += 2 }, []string{"max_clients"}},
		{"negative tolerance", func(c *node.Config) { c.ClockTolerance = -time.Second }, []string{"clock_tolerance"}},
		{"unknown behaviour when full", func(c *node.Config) { c.OnFull = node.FullOpen + 1 }, []string{"on_full"}},
		{"alone among others", func(c *node.Config) { c.Alone, c.Nodes = true, 2 }, []string{"alone"}},
		{"URL and connection", func(c *node.Config) { c.NATS = node.NATS{URL: "nats://127.0.0.1:1", Conn: &nats.Conn{}} }, []string{"nats"}},
		{"transport and URL", func(c *node.Config) { c.Transport, c.NATS.URL = network.Transport(), "nats://127.0.0.1:1" }, []string{"transport"}},
		{"a node's key that is cut", func(c *node.Config) { c.NodeKey = make([]byte, 63) }, []string{"node_key"}},
		{"keys of others alone", func(c *node.Config) { c.NodeKeys = new(node.Keyring) }, []string{"node_keys"}},
		{"keys without this node's", func(c *node.Config) {
			c.NodeKey, c.NodeKeys = ed25519.NewKeyFromSeed(make([]byte, 32)), new(node.Keyring)
			_, line := deltasync.FormatNodeKey("b", c.NodeKey)
			list, err := deltasync.ParseNodeKeys([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			c.NodeKeys.Replace(list)
		}, []string{"node_keys"}},
		{"no limit", func(c *node.Config) { *c = node.Config{Name: "a"} }, []string{"limit"}},
		{"a window alone", func(c *node.Config) { c.Limit = 0 }, []string{"limit"}},
		{"negative limit", func(c *node.Config) { c.Limit = -1 }, []string{"limit"}},
		{"no window", func(c *node.Config) { c.Window = 0 }, []string{"window"}},
		{"window too short", func(c *node.Config) { c.Window = time.Microsecond }, []string{"window"}},
		{"negative burst", func(c *node.Config) { c.Burst = -1 }, []string{"burst"}},
		{"overshoot above 1", func(c *node.Config) {
			c.Limits = map[string]node.Policy{"login": {Limit: 1, Window: time.Second, MaxOvershoot: 1.5}}
		}, []string{"max_overshoot"}},
		{"overshoot not a number", func(c *node.Config) {
			c.Limits = map[string]node.Policy{"login": {Limit: 1, Window: time.Second, MaxOvershoot: math.NaN()}}
		}, []string{"max_overshoot"}},
		{"default given twice", func(c *node.Config) { c.Limits = map[string]node.Policy{"default": {Limit: 1, Window: time.Second}} }, []string{"limits.default"}},
		{"limit with a bad name", func(c *node.Config) { c.Limits = map[string]node.Policy{"a b": {Limit: 1, Window: time.Second}} }, []string{"name"}},
		{"limit with a bad policy", func(c *node.Config) { c.Limits = map[string]node.Policy{"login": {Limit: 1}} }, []string{"window"}},
		{"too many limits", func(c *node.Config) {
			c.Limits = map[string]node.Policy{}
			for _, id := range ids(node.MaxLimits) {
				c.Limits[id] = node.Policy{Limit: 1, Window: time.Second}
			}
		}, []string{"limits"}},
		{"several at once", func(c *node.Config) {
			c.Name, c.Flush, c.OnFull, c.Limit, c.Window = "a b", time.Hour, 9, -1, -1
			c.Limits = map[string]node.Policy{"login": {Limit: 1, Window: time.Second, MaxOvershoot: -1}}
		}, []string{"name", "flush", "on_full", "limit", "window", "max_overshoot"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good()
			c.spoil(&cfg)
			n, err := node.Open(context.Background(), cfg)
			if err == nil {
				_ = n.Close()
				t.Fatal("accepted")
			}
			var field *node.FieldError
			if !errors.As(err, &field) || field.Reason == "" {
				t.Errorf("not a FieldError with a reason: %v", err)
			}
			got := fields(err)
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("blames %q, want %q: %v", got, c.want, err)
			}
		})
	}
}

func TestAFaultyLimitIsNamed(t *testing.T) {
	_, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{"login": {Limit: 1}, "search": {Limit: 1, Window: time.Second}}})
	if err == nil || !strings.Contains(err.Error(), `"login"`) || strings.Contains(err.Error(), `"search"`) {
		t.Errorf("%v", err)
	}
}

func TestZeroFieldsMeanTheirDefaults(t *testing.T) {
	n := alone(t, node.Config{Limit: 10, Window: time.Second})
	if got := n.Limits()["default"]; !reflect.DeepEqual(got, node.Policy{Limit: 10, Window: time.Second, Burst: 10, MaxOvershoot: node.DefaultMaxOvershoot}) {
		t.Errorf("%+v", got)
	}
	if s := n.Stats(); s.Cluster != "default" || s.MaxClients != node.DefaultMaxClients {
		t.Errorf("%+v", s)
	}
	named, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Second})
	must(t, err)
	defer named.Close()
	if named.Stats().Name == "" {
		t.Error("no name by default")
	}
}

// The caller's maps stay the caller's.
func TestConfigurationIsCopied(t *testing.T) {
	limits := map[string]node.Policy{"login": {Limit: 1, Window: time.Second}}
	n := alone(t, node.Config{Limit: 5, Window: time.Second, Limits: limits})
	if len(limits) != 1 {
		t.Error("Open wrote into the caller's map")
	}
	delete(limits, "login")
	if !n.Limiter("login").Allow("alice") {
		t.Error("the node reads the caller's map")
	}
}

func TestBadChangesOfALimitAreRefusedByField(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 5, Window: time.Second})
	var field *node.FieldError
	if _, err := n.SetLimit("default", node.Policy{Limit: -1, Window: time.Second}); !errors.As(err, &field) || field.Field != "limit" {
		t.Error(err)
	}
	if _, err := n.SetLimit("a b", node.Policy{Limit: 1, Window: time.Second}); !errors.As(err, &field) || field.Field != "name" {
		t.Error(err)
	}
	if _, err := n.DeleteLimit("nope"); !errors.Is(err, node.ErrUnknownLimit) {
		t.Error(err)
	}
	clock.at = clock.at.Add(time.Minute)
	if got := n.Limits(); len(got) != 1 || got["default"].Limit != 5 {
		t.Errorf("a refused change left %v", got)
	}
}
