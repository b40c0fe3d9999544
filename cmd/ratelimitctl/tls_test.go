package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs/certstest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// serveTLS serves a handler to clients with a certificate of the authority, and points the program
// at it.
func serveTLS(t *testing.T, a *certstest.Authority, h http.Handler) {
	t.Helper()
	serverCert, serverKey := a.Issue("server", "server", time.Hour)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.Cert)
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Setenv(envAddr, server.URL)
}

func TestADaemonWithTLSIsAsked(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("client", "client", time.Hour)
	serveTLS(t, a, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"allowed":true}`) }))
	if code, out, errs := ctl("peek", "alice", "-tls-ca", a.CA(), "-tls-cert", cert, "-tls-key", key); code != exitOK || !strings.Contains(out, "allowed") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	for _, flags := range [][]string{nil, {"-tls-ca", a.CA()}, {"-tls-cert", cert, "-tls-key", key}} {
		if code, out, _ := ctl(append([]string{"peek", "alice"}, flags...)...); code == exitOK || out != "" {
			t.Errorf("%q: %d, %q", flags, code, out)
		}
	}
	for _, flags := range [][]string{{"-tls-ca", key}, {"-tls-ca", "none"}, {"-tls-cert", cert}, {"-tls-key", key}} {
		if code, _, errs := ctl(append([]string{"peek", "alice"}, flags...)...); code != exitUsage || !strings.Contains(errs, flags[0]) {
			t.Errorf("%q: %d, %q", flags, code, errs)
		}
	}
}

func TestBenchHeedsTLSAndTheToken(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("client", "client", time.Hour)
	n, err := node.Open(t.Context(), node.Config{Limit: 5, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	serveTLS(t, a, httpapi.New(httpapi.Config{Node: n, APIToken: "secret"}))
	args := []string{"bench", "-n", "20", "-clients", "1", "-timeout", "30s", "-tls-ca", a.CA(), "-tls-cert", cert, "-tls-key", key}
	t.Setenv(envToken, "")
	if code, out, errs := ctl(args...); code != exitError || out != "" || !strings.Contains(errs, "401") {
		t.Errorf("without the token: %d, %q, %q", code, out, errs)
	}
	t.Setenv(envToken, "secret")
	code, out, errs := ctl(args...)
	if code != exitOK || !strings.Contains(out, "allowed  5\n") || !strings.Contains(out, "denied   15\n") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
}
