package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs/certstest"
)

// secured is a client that trusts the authority and presents a certificate, if there is one.
func secured(t *testing.T, a *certstest.Authority, cert, key string) *http.Client {
	t.Helper()
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.Cert)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// fetch is the status of a GET and the name in the server's certificate.
func fetch(t *testing.T, c *http.Client, url string) (status int, name string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	_ = resp.Body.Close()
	if resp.TLS != nil {
		name = resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	return resp.StatusCode, name, nil
}

func TestTheAPIIsServedOverTLSToClientsWithACertificate(t *testing.T) {
	a, stranger := certstest.New(t), certstest.New(t)
	cert, key := a.Issue("server", "first", 1000*time.Hour)
	p := runDaemon(t, nil, "-tls-cert", cert, "-tls-key", key, "-tls-client-ca", a.CA())
	if !strings.HasPrefix(p.url, "https://127.0.0.1:") {
		t.Fatalf("serves at %s", p.url)
	}
	clientCert, clientKey := a.Issue("client", "client", time.Hour)
	client := secured(t, a, clientCert, clientKey)
	if status, name, err := fetch(t, client, p.url+"/v1/peek?client=alice"); status != 200 || name != "first" || err != nil {
		t.Errorf("%d of %q, %v", status, name, err)
	}
	strangersCert, strangersKey := stranger.Issue("client", "client", time.Hour)
	for name, c := range map[string]*http.Client{"no certificate": secured(t, a, "", ""), "a stranger's": secured(t, a, strangersCert, strangersKey)} {
		if status, _, err := fetch(t, c, p.url+"/livez"); err == nil {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _, err := fetch(t, client, "http"+strings.TrimPrefix(p.url, "https")+"/livez"); err == nil && status == 200 {
		t.Error("plain HTTP is answered as well")
	}
	a.Issue("server", "second", 1000*time.Hour)
	eventually(t, "the new certificate is served", func() bool {
		_, name, err := fetch(t, client, p.url+"/livez")
		return err == nil && name == "second"
	})
	for _, line := range p.lines() {
		if line["level"] == "WARN" || line["level"] == "ERROR" {
			t.Errorf("strangers write to the log: %v", line)
		}
	}
}

func TestHalfOfTLSIsRefused(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("server", "server", time.Hour)
	_, other := a.Issue("other", "other", time.Hour)
	for want, args := range map[string][]string{
		"tls-cert: is of no use without -tls-key":       {"-tls-cert", cert},
		"tls-key: is of no use without -tls-cert":       {"-tls-key", key},
		"tls-client-ca: is of no use without -tls-cert": {"-tls-client-ca", a.CA()},
		"tls-cert: " + cert + ": tls: private key does": {"-tls-cert", cert, "-tls-key", other},
		"tls-client-ca: " + other + ": holds no":        {"-tls-cert", cert, "-tls-key", key, "-tls-client-ca", other},
		"tls-key: open " + key + "x":                    {"-tls-cert", cert, "-tls-key", key + "x"},
	} {
		code, _, errs := finish(t, nil, append(args, "-check")...)
		if code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%q: %d, %s", args, code, errs)
		}
	}
}
