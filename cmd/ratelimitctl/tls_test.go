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
)

func TestADaemonWithTLSIsAsked(t *testing.T) {
	a := certstest.New(t)
	serverCert, serverKey := a.Issue("server", "server", time.Hour)
	cert, key := a.Issue("client", "client", time.Hour)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.Cert)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"allowed":true}`) }))
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Setenv(envAddr, server.URL)
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
