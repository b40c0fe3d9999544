package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func TestFlagsOverrideTheEnvironmentOverridesTheFile(t *testing.T) {
	file := write(t, "f.yaml", "limit: 11\nwindow: 70\nburst: 7\nmax_overshoot: 0.5\nlimits:\n  login: {limit: 5, window: 2m}\n")
	p := runDaemon(t, []string{"RATELIMITD_LIMIT=12", "RATELIMITD_WINDOW=80s", "RATELIMITD_BURST=", "RATELIMITD_CONFIG=" + file}, "--limit=13")
	_, body := p.ask("GET", "/v1/limits", "")
	for _, want := range []string{
		`"default":{"limit":13,"window":80,"burst":7,`, `"max_overshoot":0.5,`, // flag, environment, file
		`"login":{"limit":5,"window":120,"burst":5,`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

func TestAFlagForTheFileOverridesTheEnvironments(t *testing.T) {
	code, stdout, stderr := finish(t, []string{"RATELIMITD_CONFIG=/nowhere"}, "-check", "-config", write(t, "f.yaml", "limit: 21"))
	if code != 0 || !strings.Contains(stdout, "default 21 per 1m") {
		t.Errorf("got %d %q %q", code, stdout, stderr)
	}
}

// runIn runs the program within the test, to its end; one that serves is told to stop.
func runIn(t *testing.T, environ []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var out, errs strings.Builder
	err = run(ctx, call{args: args, environ: environ}, &out, &errs)
	return out.String(), errs.String(), err
}

func TestWhatIsWrongIsOneLineThatSaysWhere(t *testing.T) {
	empty, key := write(t, "empty", "\n"), write(t, "key", goodSecret)
	bad, fine := write(t, "bad.yaml", "limit: 5\nbrust: 3\n"), write(t, "fine.yaml", "limit: 5\n")
	for _, c := range []struct {
		env  string
		args []string
		want string
	}{
		{"", []string{"-nope"}, "flag provided but not defined: -nope"},
		{"", []string{"--nope"}, "flag provided but not defined: -nope"},
		{"", []string{"-limit"}, "flag needs an argument: -limit"},
		{"", []string{"extra"}, `argument "extra" is not understood`},
		{"", []string{"-check=false", bad}, "is not understood"},
		{"", []string{"-check", bad}, bad + ":2: brust is unknown"},
		{"", []string{"-check", "/nowhere/f.yaml"}, "configuration file: open /nowhere/f.yaml"},
		{"", []string{"-check", fine, bad}, "is one too many: -check takes one file"},
		{"", []string{"-check", fine, "-nope"}, "flag provided but not defined: -nope"},
		{"", []string{"-against", "http://127.0.0.1:1"}, "flag -against: is of no use without -check"},
		{"", []string{"-check", fine, "-against", "ftp://127.0.0.1"}, `invalid value "ftp://127.0.0.1" for flag -against: must be a node's HTTP address`},
		{"", []string{"-check", fine, "-against", "http://"}, `invalid value "http://" for flag -against: must be`},
		{"", []string{"-check", bad, "-against", "http://127.0.0.1:1"}, bad + ":2: brust is unknown"},
		{"", []string{"-check", fine, "-limit", "ten"}, `flag -limit: limit "ten"`},
		{"", []string{"-config", fine, "-check", fine}, "flag -config: is one file too many with -check " + fine},
		{"", []string{"-check", fine, "-config", fine}, "flag -config: is one file too many with -check " + fine},
		{"", []string{"-limit", "ten"}, `flag -limit: limit "ten": must be a whole number`},
		{"", []string{"-limit", "0"}, "flag -limit: limit 0: must be at least 1"},
		{"", []string{"-limit", "-5"}, "flag -limit: limit -5: must be"},
		{"", []string{"-window", "0"}, "flag -window: window 0s: must be from 1ms"},
		{"", []string{"-window", "soon"}, `flag -window: window "soon": must be a number of seconds, a duration`},
		{"", []string{"-burst", "-1"}, "flag -burst: burst -1: must be"},
		{"", []string{"-max-overshoot", "2"}, "flag -max-overshoot: max_overshoot 2: must be"},
		{"", []string{"-max-clients", "0"}, "flag -max-clients: 0: must be at least 1"},
		{"", []string{"-log-level", "loud"}, `flag -log-level: "loud": must be debug, info, warn or error`},
		{"", []string{"-log-format", "xml"}, `flag -log-format: "xml": must be text or json`},
		{"RATELIMITD_LIMIT=x", nil, `environment RATELIMITD_LIMIT: limit "x": must be`},
		{"RATELIMITD_REDACT_CLIENTS=2", nil, "environment RATELIMITD_REDACT_CLIENTS: redact_clients"},
		{"", []string{"-config", "/nowhere/f.yaml"}, "configuration file: open /nowhere/f.yaml: no such file"},
		{"RATELIMITD_CONFIG=/nowhere/f.yaml", nil, "configuration file: open /nowhere/f.yaml"},
		{"", []string{"-config", bad}, bad + ":2: brust is unknown: known are "},
		{"", []string{"-http", "8080"}, `flag -http: "8080": must be host:port`},
		{"", []string{"-http", "127.0.0.1:99999"}, "flag -http: "},
		{"", []string{"-nats-api"}, "flag -nats-api: is of no use without -nats or -nats-listen: nobody could ask"},
		{"", []string{"-trusted-proxies", "10.0.0.0/8,10.0.0.1/8"}, `flag -trusted-proxies: "10.0.0.1/8" has bits beyond its length`},
		{"", []string{"-admin", "x"}, `flag -admin: "x": must be host:port`},
		{"", []string{"-http", "300.1.1.1:80", "-check"}, `flag -http: "300.1.1.1:80": 300.1.1.1 is no address`},
		{"", []string{"-http", "127.0.0.01:80", "-check"}, `127.0.0.01 is no address`},
		{"", []string{"-name", "a b"}, "flag -name: name a b: must be 1 to 64"},
		{"RATELIMITD_NAME=a b", []string{"-cluster", "a.b"}, "environment RATELIMITD_NAME: name a b: must be 1 to 64"},
		{"RATELIMITD_NAME=a b", []string{"-cluster", "a.b"}, "flag -cluster: cluster a.b: must be 1 to 64"},
		{"", []string{"-subject-prefix", "a b"}, "flag -subject-prefix: subject_prefix a b: must be"},
		{"", []string{"-config", write(t, "named.yaml", "name: a b\n")}, "named.yaml:1: name a b: must be 1 to 64"},
		{"", []string{"-config", write(t, "level.yaml", "log_level: loud\n")}, `level.yaml:1: log_level: "loud": must be debug`},
		{"", []string{"-check", write(t, "http.yaml", "admin: x\n")}, `http.yaml:1: admin: "x": must be host:port`},
		{"", []string{"-nats", "http://a:4222"}, "flag -nats: nats http://a:4222: begins with http://: must begin with nats://"},
		{"", []string{"-grpc", ":1"}, "flag -grpc: has no rules: give -envoy-config or -xds-server"},
		{"", []string{"-grpc", ":1", "-envoy-config", "/x", "-xds-server", "a:1"}, "flag -xds-server: and -envoy-config are two sources of rules"},
		{"", []string{"-envoy-config", "/x"}, "flag -envoy-config: needs -grpc"},
		{"", []string{"-xds-node-id", "x"}, "flag -xds-node-id: needs -grpc"},
		{"", []string{"-grpc", ":1", "-envoy-config", "/does/not/exist"}, "flag -envoy-config: lstat /does"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-grpc-tls-cert", "/x"}, "flag -grpc-tls-cert: and -grpc-tls-key go together"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-grpc-tls-client-ca", "/x"}, "flag -grpc-tls-client-ca: needs -grpc-tls-cert"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-grpc-tls-client-name", "x"}, "flag -grpc-tls-client-name: needs -grpc-tls-client-ca"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-xds-tls-key", "/x"}, "setting xds_tls_cert: and -xds-tls-key go together"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-xds-headers", "x"}, "flag -xds-headers: must be pairs"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-envoy-headers", "x"}, "must be ietf or none"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-envoy-legacy-headers", "x"}, "must be three names"},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-envoy-legacy-headers", "a,,b"}, `"" is no name of a field`},
		{"", []string{"-grpc", ":1", "-xds-server", "a:1", "-envoy-legacy-headers", "a, b,c"}, `" b" is no name of a field`},
		{"", []string{"-grpc", "x", "-xds-server", "a:1"}, "flag -grpc: \"x\": must be host:port"},
		{"", []string{"-demo", "-limit", "5"}, "flag -limit: is of no use with -demo, which has settings of its own"},
		{"RATELIMITD_NATS=nats://127.0.0.1:1", []string{"-demo"}, "environment RATELIMITD_NATS: is of no use with -demo"},
		{"", []string{"-demo", "-check"}, "flag -check: is of no use with -demo"},
		{"", []string{"-admin-token-file", "/nowhere/t"}, "flag -admin-token-file: open /nowhere/t"},
		{"", []string{"-admin-token-file", empty}, "flag -admin-token-file: " + empty + " is empty"},
		{"", []string{"-cluster-key-file", empty}, "flag -cluster-key-file: " + empty + " is empty"},
		{"", []string{"-nats", "nats://"}, "flag -nats: nats nats://: must be a URL such as"},
		{"", []string{"-nats", "nats://a:4222", "-nats-cluster", "127.0.0.1:0"}, "flag -nats-cluster: is for the embedded server"},
		{"", []string{"-nats-routes", "nats://a:6222"}, "flag -nats-routes: is of no use without -nats-cluster"},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-nats-routes", "http://a:6222"}, "scheme must be nats"},
		{"", []string{"-cluster-advertise", "n1:6222"}, "flag -cluster-advertise: is of no use without -nats-cluster"},
		{"", []string{"-nats", "nats://a:4222", "-cluster-advertise", "n1:6222"}, "flag -cluster-advertise: is for the embedded server"},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-cluster-advertise", "n1"}, `flag -cluster-advertise: "n1": must be a host and port`},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-cluster-advertise", ":6222"}, `flag -cluster-advertise: ":6222": must be a host and port`},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-cluster-advertise", "n1:0"}, `flag -cluster-advertise: "n1:0": must be a host and port`},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-cluster-advertise", "[::]:6222"}, `flag -cluster-advertise: "[::]:6222": must be a host and port`},
		{"", []string{"-nats-cluster", "127.0.0.1:0", "-check", "-cluster-advertise", "n1:99999"}, `flag -cluster-advertise: "n1:99999": must be a host and port`},
		{"", []string{"-nats-creds", key}, "flag -nats-creds: is of no use without -nats"},
		{"", []string{"-nats", "nats://a:4222", "-nats-creds", "/nowhere/c"}, "flag -nats-creds: open /nowhere/c"},
		{"", []string{"-nats", "nats://a:4222", "-nats-nkey", key}, "flag -nats-nkey: "},
		{"", []string{"-nats", "nats://a:4222", "-nats-tls-ca", key}, "flag -nats-tls-ca: "},
		{"", []string{"-nats", "nats://a:4222", "-nats-tls-cert", key}, "flag -nats-tls-cert: is of no use without -nats-tls-key"},
		{"", []string{"-nats", "nats://a:4222", "-nats-user", "u"}, "flag -nats-user: is of no use without -nats-password-file"},
		{"", []string{"-nats-kv-bucket", "b"}, "flag -nats-kv-bucket: needs an external NATS server with JetStream, which -nats names: the embedded one has none"},
		{"RATELIMITD_NATS_KV_BUCKET=b", []string{"-nats-listen", "127.0.0.1:0"}, "environment RATELIMITD_NATS_KV_BUCKET: needs an external NATS server"},
		{"", []string{"-nats", "nats://a:4222", "-nats-kv-bucket", "a.b"}, `flag -nats-kv-bucket: bucket "a.b": must be 1 to 200 of A-Z, a-z, 0-9, _ and -`},
		{"", []string{"-nats-user", "u", "-nats-password-file", key}, "flag -nats-user: is of no use without -nats-listen"},
	} {
		// With -http and without -check, so that what is only found by opening is too.
		args := append([]string{"-http", "127.0.0.1:0"}, c.args...)
		stdout, _, err := runIn(t, []string{c.env}, args...)
		if err == nil || stdout != "" {
			t.Errorf("%v: got %v, stdout %q", c.args, err, stdout)
			continue
		}
		text := oneLine(err)
		if exitCode(err) != exitUsage || !strings.Contains(text, c.want) || strings.Contains(text, "\n") {
			t.Errorf("%s %v:\ngot  %d %s\nwant %d ...%s", c.env, c.args, exitCode(err), text, exitUsage, c.want)
		}
	}
}

func TestABadFlagEndsTheRealProgramWithCodeTwo(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"-limit", "x"}, {"-config", "/nowhere"}, {"-check", write(t, "f.yaml", "a: 1\nb: 2\n")}} {
		code, stdout, stderr := finish(t, nil, args...)
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "ratelimitd: ") {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, _, err := runIn(t, []string{"RATELIMITD_BURST=x"}, "-limit", "y", "-config", write(t, "f.yaml", "a: 1"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"flag -limit", "environment RATELIMITD_BURST", "f.yaml:1: a is unknown"} {
		if !strings.Contains(oneLine(err), want) {
			t.Errorf("%s is not in %s", want, oneLine(err))
		}
	}
}

func TestCheckJudgesWithoutOpeningAnything(t *testing.T) {
	stdout, _, err := runIn(t, nil, "-check", "-http", "127.0.0.1:1", "-nats", "nats://127.0.0.1:1", "-limit", "7")
	if err != nil || stdout != "ratelimitd: the settings are fine: default 7 per 1m\n" {
		t.Errorf("got %q, %v", stdout, err)
	}
	if _, _, err := runIn(t, nil, "-check", "-nodes", "3"); err != nil {
		t.Errorf("the first of three nodes: %v", err)
	}
	file := write(t, "f.yaml", "limit: 21\nburst: 3\n")
	for _, args := range [][]string{{"-check", file}, {"-check", file, "-burst", "3"}, {"-burst", "3", "--check", file}, {"-config", file, "-check"}} {
		stdout, _, err := runIn(t, []string{"RATELIMITD_CONFIG=/nowhere"}, args...)
		if err != nil || stdout != "ratelimitd: the settings are fine: default 21 per 1m, burst 3\n" {
			t.Errorf("%v: got %q, %v", args, stdout, err)
		}
	}
	for _, args := range [][]string{{"-limit", "0"}, {"-name", "a b"}, {"-admin-token-file", "/nowhere"}} {
		if _, _, err := runIn(t, nil, append(args, "-check")...); exitCode(err) != exitUsage {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestCheckShowsEachKindOfLimit(t *testing.T) {
	file := write(t, "f.yaml", `limits:
  abuse: {unlimited: true, overrides: [{client: mallory, block: true}]}
  hourly: {limit: 1000, window: 1h, shadow: true}
  internal: {block: true, overrides: [{client: a, unlimited: true}, {client: b, unlimited: true}]}
  quota: {algorithm: fixed_window, limit: 10000, window: month}
  slow: {limit: 1, window: 1h30m}
`)
	const want = "ratelimitd: the settings are fine: abuse unlimited, overrides 1; hourly 1000 per 1h, shadow; " +
		"internal blocked, overrides 2; quota 10000 per month (UTC), fixed_window; slow 1 per 1h30m\n"
	if stdout, _, err := runIn(t, nil, "-check", file); err != nil || stdout != want {
		t.Errorf("got  %q, %v\nwant %q", stdout, err, want)
	}
}

func TestASignalDuringTheStartIsNoFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	p, err := newPlan(defaults(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := start(ctx, p, newReloader(call{}, &options{}, p)); err == nil {
		t.Fatalf("it started: %v", d.stop(0))
	}
	if err := run(ctx, call{args: []string{"-http", "127.0.0.1:0"}}, &out, &out); err != nil {
		t.Errorf("got %v", err)
	}
}

func defaults() *config.Settings {
	s := config.Default()
	s.HTTP = "127.0.0.1:0"
	return &s
}

func TestVersionAndHelpGoToStdout(t *testing.T) {
	for _, flag := range []string{"-version", "--version"} {
		if stdout, stderr, err := runIn(t, nil, flag); err != nil || stderr != "" || !strings.HasPrefix(stdout, "ratelimitd ") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s: got %q %q %v", flag, stdout, stderr, err)
		}
	}
	for _, flag := range []string{"-h", "-help", "--help"} {
		stdout, stderr, err := runIn(t, nil, flag)
		if err != nil || stderr != "" {
			t.Errorf("%s: got %q %v", flag, stderr, err)
		}
		s := config.Default()
		for _, set := range s.All() {
			if !strings.Contains(stdout, fmt.Sprintf("  -%s", set.Flag())) {
				t.Errorf("%s: -%s is missing", flag, set.Flag())
			}
		}
	}
}

func TestAVariableThatIsNoSettingIsWarnedOf(t *testing.T) {
	_, stderr, err := runIn(t, []string{"RATELIMITD_LIMTI=5", "RATELIMITD_PORT=tcp://10.0.0.1:80", "RATELIMITD_SERVICE_HOST=10.0.0.1", "OTHER=1"}, "-check")
	if err != nil || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "RATELIMITD_LIMTI is not a setting") {
		t.Errorf("got %q, %v", stderr, err)
	}
}

func TestCredentialsAreNotShown(t *testing.T) {
	if got := (node.NATS{URL: "nats://u:secret@a:4222,nats://b:4222"}).String(); strings.Contains(got, "secret") || !strings.Contains(got, "a:4222") {
		t.Errorf("got %s", got)
	}
}
