package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs/certstest"
)

const envoyRules = "domain: edge\ndescriptors:\n  - {key: user, rate_limit: {unit: day, requests_per_unit: 10}}\n"

// rulesIn writes rules into a directory.
func rulesIn(t *testing.T, dir, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "edge.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// dialGRPC connects to the address that the daemon announced.
func dialGRPC(t *testing.T, p *process) *grpc.ClientConn {
	t.Helper()
	url, _ := p.await("ratelimitd serves")["grpc"].(string)
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "grpc://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// askEnvoy asks for one unit of a user's bucket.
func askEnvoy(conn *grpc.ClientConn, key string) (*rls.RateLimitResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return rls.NewRateLimitServiceClient(conn).ShouldRateLimit(ctx, &rls.RateLimitRequest{Domain: "edge", Descriptors: []*ratelimit.RateLimitDescriptor{{
		Entries: []*ratelimit.RateLimitDescriptor_Entry{{Key: key, Value: "a"}},
	}}}, grpc.WaitForReady(true))
}

// awaitEnvoy asks until the limit is the wanted one.
func awaitEnvoy(t *testing.T, conn *grpc.ClientConn, key string, limit uint32) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		r, err := askEnvoy(conn, key)
		if err == nil && r.GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() == limit {
			return
		}
		if time.Since(begin) > deadline {
			t.Fatalf("got %v, %v, want a limit of %d", r, err, limit)
		}
	}
}

func TestEnvoyIsAnsweredByTheRulesOfADirectory(t *testing.T) {
	dir := rulesIn(t, t.TempDir(), envoyRules)
	p := runDaemon(t, nil, "-grpc", "127.0.0.1:0", "-envoy-config", dir, "-envoy-stats", "-metrics", "127.0.0.1:0")
	conn := dialGRPC(t, p)
	for i := range 11 {
		r, err := askEnvoy(conn, "user")
		if err != nil || (r.GetOverallCode() == rls.RateLimitResponse_OK) != (i < 10) {
			t.Fatalf("request %d: %v, %v", i+1, r, err)
		}
	}
	const body = `{"domain":"edge","descriptors":[{"entries":[{"key":"user","value":"a"}]}]}`
	if resp, text := p.ask("POST", "/json", body); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "OVER_LIMIT") {
		t.Errorf("/json: got %d %s", resp.StatusCode, text)
	}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		resp, text := p.ask("GET", "/healthcheck", "")
		if resp.StatusCode == http.StatusOK && text == "OK" {
			break
		}
		if time.Since(begin) > deadline {
			t.Fatalf("/healthcheck: got %d %s", resp.StatusCode, text)
		}
	}
	alone, _ := p.await("ratelimitd serves")["metrics"].(string)
	for _, url := range []string{p.url, alone} {
		p.url = url
		_, text := p.ask("GET", "/metrics", "")
		for _, line := range []string{
			`ratelimit_service_rate_limit_total_hits{domain="edge",key1="user"} 12`,
			`ratelimit_service_rate_limit_within_limit{domain="edge",key1="user"} 10`,
			`ratelimit_service_rate_limit_over_limit{domain="edge",key1="user"} 2`,
			"ratelimit_service_config_load_success 1", "ratelimiter_ready 1",
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s lacks %s", url, line)
			}
		}
	}
	if resp, _ := p.ask("GET", "/livez", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the metrics' address serves more: %d", resp.StatusCode)
	}

	rulesIn(t, dir, envoyRules+"  - {key: user, value: oops\n")
	p.await("Envoy's rules not reloaded")
	rulesIn(t, dir, envoyRules+"  - {key: path, rate_limit: {unit: hour, requests_per_unit: 7}}\n")
	awaitEnvoy(t, conn, "path", 7)
}

// /json is for anybody who can reach the API: what it gives back needs what a reset needs.
func TestEnvoysDoorOverHTTPGivesBackToAdminsAlone(t *testing.T) {
	token := write(t, "token", "admin-0123456789abcdef")
	p := runDaemon(t, nil, "-grpc", "127.0.0.1:0", "-envoy-config", rulesIn(t, t.TempDir(), envoyRules), "-admin-token-file", token)
	const back = `{"domain":"edge","descriptors":[{"entries":[{"key":"user","value":"a"}],"hitsAddend":"1","isNegativeHits":true}]}`
	if resp, text := p.ask("POST", "/json", back); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "admin token") {
		t.Errorf("without the token: got %d %s", resp.StatusCode, text)
	}
	if resp, text := p.ask("POST", "/json", back, "Authorization", "Bearer admin-0123456789abcdef"); resp.StatusCode != http.StatusOK {
		t.Errorf("with the token: got %d %s", resp.StatusCode, text)
	}
	if resp, text := p.ask("POST", "/json", back, "Authorization", "Bearer admin-0123456789abcdef", "Origin", "http://attacker.example"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("for a page: got %d %s", resp.StatusCode, text)
	}
}

func TestEnvoysClientsAreSentElsewhereBeforeAStop(t *testing.T) {
	p := runDaemon(t, nil, "-grpc", "127.0.0.1:0", "-envoy-config", rulesIn(t, t.TempDir(), envoyRules), "-drain-delay", "1m")
	conn := dialGRPC(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "ratelimit"})
	if err != nil {
		t.Fatal(err)
	}
	until := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for {
			r, err := watch.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if r.GetStatus() == want {
				return
			}
		}
	}
	until(healthpb.HealthCheckResponse_SERVING)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(healthpb.HealthCheckResponse_NOT_SERVING)
	if r, err := askEnvoy(conn, "user"); err != nil || r.GetOverallCode() != rls.RateLimitResponse_OK {
		t.Errorf("while it drains: %v, %v", r, err)
	}
	if resp, _ := p.ask("GET", "/healthcheck", ""); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("/healthcheck: got %d", resp.StatusCode)
	}
}

func TestEnvoyIsAnsweredThroughAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rl.sock")
	dir := rulesIn(t, t.TempDir(), envoyRules)
	p := runDaemon(t, nil, "-grpc", "unix:"+path, "-envoy-config", dir)
	if r, err := askEnvoy(dialGRPC(t, p), "user"); err != nil || r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("got %v, %v", r, err)
	}
	if err := p.cmd.Process.Kill(); err != nil { // and its socket stays
		t.Fatal(err)
	}
	<-p.done
	q := runDaemon(t, nil, "-grpc", "unix:"+path, "-envoy-config", dir)
	if r, err := askEnvoy(dialGRPC(t, q), "user"); err != nil || r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("got %v, %v", r, err)
	}
	if _, err := listenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a second server: %v", err)
	}
}

func TestAFaultInEnvoysRulesIsAFaultOfTheStart(t *testing.T) {
	dir := rulesIn(t, t.TempDir(), "domain: edge\ndescriptors:\n  - {key: user, rate_limit: {unit: dya, requests_per_unit: 10}}\n")
	err := run(t.Context(), call{args: []string{"-check", "-grpc", ":0", "-envoy-config", dir}}, nil, os.Stderr)
	if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), filepath.Join(dir, "edge.yaml")+`:3: descriptors[0].rate_limit.unit "dya": must be`) {
		t.Errorf("got %v", err)
	}
}

func TestEnvoyIsAnsweredOverTLSByTheNameOfItsCertificate(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("server", "server", time.Hour)
	for name, ok := range map[string]bool{"127.0.0.1": true, "envoy.test": false} {
		p := runDaemon(t, nil, "-grpc", "127.0.0.1:0", "-envoy-config", rulesIn(t, t.TempDir(), envoyRules),
			"-grpc-tls-cert", cert, "-grpc-tls-key", key, "-grpc-tls-client-ca", a.CA(), "-grpc-tls-client-name", name)
		url, _ := p.await("ratelimitd serves")["grpc"].(string)
		for _, presented := range []bool{true, false} {
			client := certs.Client{CA: a.CA(), Name: "127.0.0.1"}
			if presented {
				client.Cert, client.Key = a.Issue("client", "client", time.Hour)
			}
			c, err := client.Config()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := grpc.NewClient(strings.TrimPrefix(url, "grpcs://"), grpc.WithTransportCredentials(credentials.NewTLS(c)))
			if err != nil {
				t.Fatal(err)
			}
			r, err := rls.NewRateLimitServiceClient(conn).ShouldRateLimit(t.Context(), &rls.RateLimitRequest{Domain: "edge", Descriptors: []*ratelimit.RateLimitDescriptor{{}}})
			if want := ok && presented; (err == nil) != want {
				t.Errorf("name %s, certificate %t: %v, %v", name, presented, r, err)
			}
			_ = conn.Close()
		}
	}
}
