package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// ours are the settings that differ from the defaults, as variables of ours would have them, sorted.
func ours(s *config.Settings) []string {
	var all []string
	defaults := config.Default()
	was := defaults.All()
	for i, set := range s.All() {
		if set.Text() != was[i].Text() {
			all = append(all, strings.TrimPrefix(set.Env(), "RATELIMITD_")+"="+set.Text())
		}
	}
	slices.Sort(all)
	return all
}

func TestEnvoyGatewaysEnvironmentIsUnderstood(t *testing.T) {
	for name, c := range map[string]struct{ env, want []string }{
		"nothing set": {nil, []string{
			"ADMIN=127.0.0.1:6070", "ENVOY_CONFIG=/srv/runtime_data/current/config", "GRPC=0.0.0.0:8081", "HTTP=0.0.0.0:8080",
		}},
		"Envoy Gateway": {[]string{
			"RUNTIME_ROOT=/data", "RUNTIME_SUBDIRECTORY=ratelimit", "RUNTIME_IGNOREDOTFILES=true", "RUNTIME_WATCH_ROOT=false", "LOG_LEVEL=info", "USE_STATSD=false",
			"CONFIG_TYPE=GRPC_XDS_SOTW", "CONFIG_GRPC_XDS_SERVER_URL=envoy-gateway:18001", "CONFIG_GRPC_XDS_NODE_ID=envoy-ratelimit", "GRPC_SERVER_USE_TLS=true",
			"GRPC_SERVER_TLS_CERT=/certs/tls.crt", "GRPC_SERVER_TLS_KEY=/certs/tls.key", "CONFIG_GRPC_XDS_SERVER_USE_TLS=true",
			"CONFIG_GRPC_XDS_CLIENT_TLS_CERT=/certs/tls.crt", "CONFIG_GRPC_XDS_CLIENT_TLS_KEY=/certs/tls.key", "CONFIG_GRPC_XDS_SERVER_TLS_CACERT=/certs/ca.crt",
			"FORCE_START_WITHOUT_INITIAL_CONFIG=true", "USE_PROMETHEUS=true", "PROMETHEUS_ADDR=:19001", "REDIS_URL=redis:6379", "REDIS_SOCKET_TYPE=tcp",
			"RATELIMITD_NATS_ROUTES=nats://peers:6222",
		}, []string{
			"ADMIN=127.0.0.1:6070", "ENVOY_STATS=true", "GRPC=0.0.0.0:8081", "GRPC_TLS_CERT=/certs/tls.crt", "GRPC_TLS_KEY=/certs/tls.key", "HTTP=0.0.0.0:8080",
			"METRICS=:19001", "NATS_ROUTES=nats://peers:6222", "XDS_NODE_ID=envoy-ratelimit", "XDS_OPTIONAL=true", "XDS_SERVER=envoy-gateway:18001", "XDS_TLS=true",
			"XDS_TLS_CA=/certs/ca.crt", "XDS_TLS_CERT=/certs/tls.crt", "XDS_TLS_KEY=/certs/tls.key",
		}},
		"everything else": {[]string{
			"HOST=127.0.0.1", "PORT=1", "GRPC_UDS=/run/rl.sock", "DEBUG_HOST=127.0.0.2", "DEBUG_PORT=3", "GRPC_MAX_CONNECTION_AGE=1h", "GRPC_SERVER_USE_TLS=1",
			"GRPC_SERVER_TLS_CERT=/c", "GRPC_SERVER_TLS_KEY=/k", "GRPC_CLIENT_TLS_CACERT=/ca", "GRPC_CLIENT_TLS_SAN=envoy", "LOG_LEVEL=WARNING", "LOG_FORMAT=JSON",
			"CONFIG_TYPE=GRPC_XDS_SOTW", "CONFIG_GRPC_XDS_NODE_METADATA=a=b", "CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS=x:1,y:2",
			"LIMIT_RESPONSE_HEADERS_ENABLED=true", "LIMIT_RESET_HEADER=X-T", "SHADOW_MODE=true", "QUOTA_MODE=true", "RESPONSE_DYNAMIC_METADATA=true", "MERGE_DOMAIN_CONFIG=true",
			"FORCE_START_WITHOUT_INITIAL_CONFIG=true", "HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED=true", "RATELIMITD_HTTP=:9",
		}, []string{
			"ADMIN=127.0.0.2:3", "ENVOY_LEGACY_HEADERS=RateLimit-Limit,RateLimit-Remaining,X-T", "ENVOY_MERGE_DOMAINS=true", "ENVOY_METADATA=true", "ENVOY_QUOTA=true",
			"ENVOY_SHADOW=true", "GRPC=unix:/run/rl.sock", "GRPC_MAX_CONNECTION_AGE=1h0m0s", "GRPC_TLS_CERT=/c", "GRPC_TLS_CLIENT_CA=/ca", "GRPC_TLS_CLIENT_NAME=envoy",
			"GRPC_TLS_KEY=/k", "HTTP=:9", "LOG_FORMAT=json", "LOG_LEVEL=warn", "XDS_HEADERS=x=1,y=2", "XDS_NODE_METADATA=a=b", "XDS_SERVER=localhost:18000",
		}},
	} {
		o, err := parse(call{name: "/bin/ratelimit", environ: c.env})
		if got := ours(&o.settings); err != nil || len(o.warnings) > 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v\ngot  %q\nwant %q", name, err, o.warnings, got, c.want)
		}
	}
	if o, err := parse(call{name: "/bin/ratelimitd", environ: []string{"PORT=1"}}); err != nil || len(ours(&o.settings)) > 0 {
		t.Errorf("under its own name it heeds %q, %v", ours(&o.settings), err)
	}
}

// Our own file, variables and flags go before the variables of another service, and before the
// defaults of those that nobody set.
func TestOurOwnSettingsGoBeforeAnothersVariables(t *testing.T) {
	file := write(t, "c.yaml", "http: 127.0.0.1:1\ngrpc: 127.0.0.1:2\nlog_level: warn\n")
	xds := write(t, "x.yaml", "xds_server: mine:1\nxds_node_id: me\n")
	for name, c := range map[string]struct{ args, env, want []string }{
		"a file": {[]string{"-config", file, "-grpc", "127.0.0.1:3"}, []string{"PORT=9", "GRPC_PORT=9", "LOG_LEVEL=debug", "RATELIMITD_ADMIN=127.0.0.1:4"}, []string{
			"ADMIN=127.0.0.1:4", "ENVOY_CONFIG=/srv/runtime_data/current/config", "GRPC=127.0.0.1:3", "HTTP=127.0.0.1:1", "LOG_LEVEL=warn",
		}},
		"rules by a flag":     {[]string{"-xds-server", "mine:1"}, []string{"CONFIG_TYPE=FILE", "RUNTIME_ROOT=/x"}, []string{"XDS_SERVER=mine:1"}},
		"rules by a variable": {nil, []string{"CONFIG_TYPE=GRPC_XDS_SOTW", "CONFIG_GRPC_XDS_SERVER_USE_TLS=true", "RATELIMITD_ENVOY_CONFIG=/mine"}, []string{"ENVOY_CONFIG=/mine"}},
		"rules by a file":     {[]string{"-config", xds}, nil, []string{"XDS_NODE_ID=me", "XDS_SERVER=mine:1"}},
		"a part of what rules need": {[]string{"-xds-node-id", "me"}, []string{"CONFIG_TYPE=GRPC_XDS_SOTW", "CONFIG_GRPC_XDS_SERVER_URL=theirs:1", "CONFIG_GRPC_XDS_NODE_ID=them"}, []string{
			"XDS_NODE_ID=me", "XDS_SERVER=theirs:1",
		}},
		"a long age": {[]string{"-xds-server", "mine:1"}, []string{"GRPC_MAX_CONNECTION_AGE=8760h"}, []string{"GRPC_MAX_CONNECTION_AGE=720h0m0s", "XDS_SERVER=mine:1"}},
		"a name nobody vouches for": {[]string{"-xds-server", "mine:1"}, []string{"GRPC_SERVER_USE_TLS=true", "GRPC_SERVER_TLS_CERT=/c", "GRPC_SERVER_TLS_KEY=/k", "GRPC_CLIENT_TLS_SAN=envoy"}, []string{
			"GRPC_TLS_CERT=/c", "GRPC_TLS_KEY=/k", "XDS_SERVER=mine:1",
		}},
	} {
		o, err := parse(call{name: "ratelimit", args: c.args, environ: c.env})
		got := slices.DeleteFunc(ours(&o.settings), func(text string) bool {
			return !slices.Contains(c.want, text) && (text == "HTTP=0.0.0.0:8080" || text == "GRPC=0.0.0.0:8081" || text == "ADMIN=127.0.0.1:6070")
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, c.want)
		}
	}
}

func TestWhatCannotStandInForStatsdSaysSo(t *testing.T) {
	for text, want := range map[string]int{"": 0, "false": 0, "true": 1} {
		o, err := parse(call{name: "ratelimit", environ: []string{"USE_STATSD=" + text}})
		if err != nil || len(o.warnings) != want || want > 0 && !strings.Contains(o.warnings[0], "USE_PROMETHEUS=true") {
			t.Errorf("%q: %v, %q", text, err, o.warnings)
		}
	}
}

func TestFaultyVariablesOfAnotherServiceAreNamed(t *testing.T) {
	_, err := parse(call{name: "ratelimit", environ: []string{"SHADOW_MODE=maybe", "CONFIG_TYPE=REDIS", "USE_PROMETHEUS=true", "PROMETHEUS_PATH=/m", "GRPC_MAX_CONNECTION_AGE=old"}})
	usage := usageError{}
	if !errors.As(err, &usage) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{`SHADOW_MODE: "maybe"`, `CONFIG_TYPE: "REDIS"`, `PROMETHEUS_PATH: "/m"`, `environment GRPC_MAX_CONNECTION_AGE`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not in %v", part, err)
		}
	}
}

// TestTheProgramStandsIn runs the binary as gateways run it: by the other name, with nothing
// but the other's environment.
func TestTheProgramStandsIn(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "ratelimit")
	if err := os.Symlink(program, binary); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	rulesIn(t, filepath.Join(dir, "config"), envoyRules)
	ports := freePorts(t, 3)
	cmd := exec.CommandContext(context.Background(), binary)
	cmd.Env = []string{
		"HOST=127.0.0.1", "GRPC_HOST=127.0.0.1", "PORT=" + ports[0], "GRPC_PORT=" + ports[1], "DEBUG_PORT=" + ports[2],
		"RUNTIME_ROOT=" + dir, "RUNTIME_SUBDIRECTORY=", "LOG_LEVEL=error", "REDIS_URL=nowhere:6379",
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	conn, err := grpc.NewClient("127.0.0.1:"+ports[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		r, err := askEnvoy(conn, "user")
		if err == nil {
			if r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[0].GetLimitRemaining() != 9 {
				t.Errorf("got %v", r)
			}
			return
		}
		if time.Since(begin) > deadline {
			t.Fatal(err)
		}
	}
}

// freePorts are ports of loopback that nobody has at the moment.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	var all []net.Listener // open at once, so that no port comes twice
	for range n {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	for _, l := range all {
		_ = l.Close()
	}
	return ports
}
