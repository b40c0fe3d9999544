package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func TestTheDefaultsStandOnTheirOwn(t *testing.T) {
	s := config.Default()
	got, err := s.Policies()
	want := node.Policy{Limit: 100, Window: time.Minute, MaxOvershoot: 0.1}
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got["default"], want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if s.HTTP != "127.0.0.1:8080" || s.MaxClients != 10_000_000 || s.Cluster != "default" {
		t.Errorf("got %+v", s)
	}
}

const everything = `
# every key
name: api-1
cluster: eu
cluster_key_file: /k
node_key_file: /key
node_keys: /keys
limit: 5
window: 1m30s
burst: 3
max_overshoot: 0.5
http: ":9000"
metrics: :9002
grpc: :9001
grpc_tls_cert: /gc
grpc_tls_key: /gk
grpc_tls_client_ca: /gca
grpc_tls_client_name: envoy
grpc_max_connection_age: 5m
envoy_config: /e
envoy_merge_domains: true
envoy_headers: none
envoy_legacy_headers: [L, R, T]
envoy_metadata: true
envoy_shadow: true
envoy_quota: true
envoy_stats: true
xds_server: cp:18001
xds_node_id: rl
xds_node_metadata: [a=b, c=d]
xds_headers: e=f
xds_tls: true
xds_tls_ca: /xca
xds_tls_cert: /xc
xds_tls_key: /xk
xds_tls_name: cp
xds_optional: true
admin_token_file: /t
api_token_file: /a
partition_key_file: /p
http_hosts: [limits.example, b.example]
tls_cert: /tls
tls_key: /tlskey
tls_client_ca: /tlsca
admin: 127.0.0.1:6060
drain_delay: 10s
redact_clients: true
trusted_proxies: [10.0.0.0/8, "2001:db8::1"]
nats: [nats://a:4222, "nats://b:4222"]
nats_creds: /c
nats_nkey: /n
nats_user: u
nats_password_file: /p
nats_token_file: /nt
nats_tls_ca: /ca
nats_tls_cert: /cert
nats_tls_key: /key
nats_kv_bucket: limits
nats_api: true
nats_listen: 127.0.0.1:4222
nats_cluster: 127.0.0.1:6222
cluster_advertise: n1.example:6222
cluster_tls_cert: /mc
cluster_tls_key: /mk
cluster_tls_ca: /mca
nats_routes: nats://c:6222,nats://d:6222
subject_prefix: rl
max_clients: 1000
on_full: open
nodes: 3
roster: [a, b]
state_dir: /s
snapshot_interval: 30s
log_format: json
log_level: debug
limits:
  login: {limit: 5, window: 60, burst: 2}
  api.v2: &big
    limit: 1000
    window: 1h
    algorithm: gcra
    resolution: 1
    time_zone: UTC
    max_overshoot: 0.2
    on_isolation: keep
    consistency: eventual
    shadow: false
  copy: *big
`

func TestAFileSetsEverything(t *testing.T) {
	s := config.Default()
	if err := s.Parse("f.yaml", []byte(everything)); err != nil {
		t.Fatal(err)
	}
	defaults := config.Default()
	unset := map[string]string{}
	for _, d := range defaults.All() {
		unset[d.Key] = d.Text()
	}
	for _, set := range s.All() {
		if s.Origin(set.Key) == "" || set.Text() == unset[set.Key] {
			t.Errorf("%s is %q, from %q", set.Key, set.Text(), s.Origin(set.Key))
		}
	}
	if s.NATS != "nats://a:4222,nats://b:4222" || s.NATSRoutes != "nats://c:6222,nats://d:6222" || s.MaxClients != 1000 {
		t.Errorf("got %+v", s)
	}
	big := node.Policy{Limit: 1000, Window: time.Hour, MaxOvershoot: 0.2}
	want := map[string]node.Policy{
		"default": {Limit: 5, Window: 90 * time.Second, Burst: 3, MaxOvershoot: 0.5},
		"login":   {Limit: 5, Window: time.Minute, Burst: 2}, "api.v2": big, "copy": big,
	}
	got, err := s.Policies()
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, p := range want {
		if !reflect.DeepEqual(got[name], p) {
			t.Errorf("%s: got %+v, want %+v", name, got[name], p)
		}
	}
}

func TestAnEmptyFileSetsNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "{}"} {
		s := config.Default()
		if err := s.Parse("f.yaml", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for _, set := range s.All() {
			if s.Origin(set.Key) != "" {
				t.Errorf("%q sets %s", text, set.Key)
			}
		}
	}
}

func TestAFileMaySayThatItIsYAML12(t *testing.T) {
	for _, head := range []string{"%YAML 1.2\n---\n", "%YAML 1.1\n---\n", "\ufeff%YAML 1.2\r\n---\r\n", "# mine\n\n%YAML\t1.2 # new\n---\n", "---\n", "\ufeff"} {
		s := config.Default()
		if err := s.Parse("f.yaml", []byte(head+"name: \"%YAML 1.2\"\n")); err != nil || s.Name != "%YAML 1.2" {
			t.Errorf("%q: got %q, %v", head, s.Name, err)
		}
		if err := s.Parse("f.yaml", []byte(head+"x: 1\n")); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("f.yaml:%d: x is unknown", 1+strings.Count(head, "\n"))) {
			t.Errorf("%q: got %v", head, err)
		}
	}
}

func TestTheDefaultLimitHasTwoSpellingsAndOneValue(t *testing.T) {
	s := config.Default()
	if err := s.Parse("f.yaml", []byte("limits:\n  default: {limit: 7, window: 10, burst: 3}\n")); err != nil {
		t.Fatal(err)
	}
	// Later sources override single fields of it.
	if err := s.Set("limit", "9", "flag -limit"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Policies()
	if want := (node.Policy{Limit: 9, Window: 10 * time.Second, Burst: 3}); err != nil || !reflect.DeepEqual(got["default"], want) || len(got) != 1 {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestFaultsSayWhereTheyStand(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"brust: 3\n", `f.yaml:1: brust is unknown: known are name, cluster, .*limits`},
		{"name: a\n\nName: b\n", `f.yaml:3: Name is unknown: .* did you mean name\?`},
		{"limit: many\n", `f.yaml:1: limit "many": must be a whole number`},
		{"limit: 1.5\n", `f.yaml:1: limit "1.5": must be a whole number`},
		{"limit:\n", `f.yaml:1: limit null: must have a value`},
		{"limit: [1]\n", `f.yaml:1: limit is a list: must be a whole number`},
		{"limit: {a: 1}\n", `f.yaml:1: limit is a mapping: must be a whole number; limits by name stand under limits: did you mean that\?`},
		{"name: a\nlimit:\n  login: {limit: 5, window: 1m}\n", `f.yaml:3: limit is a mapping: .* did you mean that\?`},
		{"name: [a, b]\n", `f.yaml:1: name is a list: must be a string`},
		{"nats: [{a: b}]\n", `f.yaml:1: nats\[0\] is a mapping: must be a string`},
		{"limit: 1\nlimit: 2\n", `f.yaml:2: limit is given more than once: it is in line 1 already`},
		{"window: soon\n", `f.yaml:1: window "soon": must be a number of seconds, a duration`},
		{"redact_clients: yes please\n", `f.yaml:1: redact_clients "yes please": must be true or false`},
		{"- limit\n", `f.yaml:1: the file has no keys: must be keys with values`},
		{"just text\n", `f.yaml:1: the file has no keys: must be keys with values`},
		{"limits: 5\n", `f.yaml:1: limits "5": must be a mapping`},
		{"limits:\n  login: 5\n", `f.yaml:2: limits.login "5": must be a mapping`},
		{"limits:\n  login:\n", `f.yaml:2: limits.login null: must have a value`},
		{"limits:\n  'a b': {limit: 1, window: 1}\n", `f.yaml:2: limits."a b" is no name: the name of a limit must be`},
		{"limits:\n  login: {limit: 1, window: 1}\n  login: {limit: 1, window: 1}\n", `f.yaml:3: limits.login is given more than once: it is in line 2 already`},
		{"limits:\n  login:\n    limit: 1\n    limit: 2\n", `f.yaml:4: limits.login.limit is given more than once: it is in line 3 already`},
		{"limits:\n  login:\n    limt: 1\n", `f.yaml:3: limits.login.limt is unknown: known are limit, window`},
		{"limits:\n  login:\n    limit: x\n", `f.yaml:3: limits.login.limit "x": must be a whole number`},
		{"limits:\n  default: {limit: 1, window: 1}\nlimit: 2\n", `f.yaml:3: limit is given more than once: it is at f.yaml:2 already`},
		{"window: 2\nlimits:\n  default: {limit: 1, window: 1}\n", `f.yaml:3: window is given more than once: it is at f.yaml:1 already`},
		{"a: 1\n---\nb: 2\n", `f.yaml: there is more than one document`},
		{"name: \"\\ud800\"\n", `f.yaml:(\d:)? the file must be valid UTF-8`},
		{"name: a\nlimits: {a: {limit: 1, window: 1, overrides: [{prefix: \"\\udfff\", limit: 2}]}}\n", `f.yaml:(\d:)? the file must be valid UTF-8`},
		{"name: \xff\n", `f.yaml: the file must be valid UTF-8`},
		{"name: \"\xed\xa0\x80\"\n", `f.yaml: the file must be valid UTF-8`},
		{"%YAML 2.0\n---\nname: a\n", `f.yaml: found incompatible YAML document`},
		{"a: [1\n", `f.yaml:1: did not find`},
		{"? [a]\n: b\n", `f.yaml:1: the file has a key that is none: a key must be a plain word`},
	} {
		s := config.Default()
		err := s.Parse("f.yaml", []byte(c.text))
		if err == nil || !regexp.MustCompile("^"+c.want).MatchString(err.Error()) {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestALimitThatCannotBeSaysWhereItStands(t *testing.T) {
	s := config.Default()
	err := s.Parse("f.yaml", []byte("burst: -1\nlimits:\n  login:\n    window: 1m\n  slow:\n    limit: 1\n    window: 1m\n    max_overshoot: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set("window", "0", "flag -window"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Policies()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"flag -window: window 0s: must be from 1ms",
		"f.yaml:1: burst -1: must be",
		"f.yaml:3: limits.login.limit 0: must be at least 1",
		"f.yaml:8: limits.slow.max_overshoot 2: must be",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestFaultsOfTheDefaultLimitSayWhichSpellingIsMeant(t *testing.T) {
	for text, want := range map[string]string{
		"limit: -5\n": "f.yaml:1: limit -5: must be from 1 to 9007199254740992",
		"limits:\n  default: {limit: -5, window: 60}\n": "f.yaml:2: limits.default.limit -5: must be from 1 to 9007199254740992",
		"limits:\n  default: {limit: 5}\n":              "f.yaml:2: limits.default.window 0s: must be from 1ms to 8784h0m0s, and cannot be left out",
		"limits:\n  default: {limit: 5, window: day}\n": "f.yaml:2: limits.default.window day: calendar windows need the algorithm fixed_window: give a number of seconds or a duration",
	} {
		s := config.Default()
		if err := s.Parse("f.yaml", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Policies(); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	s := config.Default()
	err := s.Parse("f.yaml", []byte("brust: 1\nlimit: x\nlimits: {a: {b: 1}}\n"))
	if err == nil || strings.Count(err.Error(), "f.yaml:") != 3 {
		t.Errorf("got %v", err)
	}
}

func TestSetNamesTheOriginAndChangesNothingOnAFault(t *testing.T) {
	s := config.Default()
	for _, c := range []struct{ key, text, want string }{
		{"limit", "ten", `flag -limit: limit "ten": must be a whole number, below 2^63`},
		{"window", "x", `flag -limit: window "x": must be a number of seconds, a duration such as 90s, 500ms or 1h, or one of second, minute, hour, day, week, month and year`},
		{"nope", "x", `flag -limit: "nope" is no setting`},
	} {
		if err := s.Set(c.key, c.text, "flag -limit"); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if s.Origin(c.key) != "" {
			t.Errorf("%s was set", c.key)
		}
	}
	if s.Default.Limit != 100 {
		t.Errorf("the limit is %d", s.Default.Limit)
	}
}

func TestAFileIsReadUpToItsCap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	s := config.Default()
	if err := s.ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the path of the file that is missing", err)
	}
	write := func(size int) {
		if err := os.WriteFile(path, []byte("limit: 5\n#"+strings.Repeat("x", size-10)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config.MaxFile)
	if err := s.ReadFile(path); err != nil || s.Default.Limit != 5 {
		t.Errorf("got %v", err)
	}
	write(config.MaxFile + 1)
	if err := s.ReadFile(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestEverySettingCanBeSpokenOf(t *testing.T) {
	s := config.Default()
	for _, set := range s.All() {
		if set.Usage == "" || (set.Arg == "") != set.IsBool() {
			t.Errorf("%s: usage %q, argument %q", set.Key, set.Usage, set.Arg)
		}
		if want := "RATELIMITD_" + strings.ToUpper(strings.ReplaceAll(set.Flag(), "-", "_")); set.Env() != want {
			t.Errorf("%s: got %s, want %s", set.Key, set.Env(), want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("limits: {default: {limit: 1, window: 1}}"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		s := config.Default()
		if s.Parse("f", text) == nil {
			_, _ = s.Policies()
		}
	})
}
