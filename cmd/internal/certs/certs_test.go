package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs/certstest"
)

// issue writes a certificate and its key, always to the same files.
func issue(a *certstest.Authority, name string, lasts time.Duration) Files {
	cert, key := a.Issue("server", name, lasts)
	return Files{Cert: cert, Key: key}
}

// watched is a store whose clock and log a test has.
type watched struct {
	*Store
	log bytes.Buffer
	at  time.Time
}

func open(t *testing.T, f Files) *watched {
	t.Helper()
	w := &watched{at: time.Now()}
	s, err := Open(f, slog.New(slog.NewTextHandler(&w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	w.Store = s
	s.now, s.looked = func() time.Time { return w.at }, w.at
	return w
}

// dial makes a handshake, and returns the name that the server presents.
func (w *watched) dial(t *testing.T, roots *certstest.Authority, client *tls.Certificate) (name string, err error) {
	t.Helper()
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1", NextProtos: []string{"h2"}}
	c.RootCAs.AddCert(roots.Cert)
	if client != nil {
		c.Certificates = []tls.Certificate{*client}
	}
	near, far := net.Pipe()
	var wait sync.WaitGroup
	defer wait.Wait()
	defer far.Close()
	defer near.Close()
	_ = near.SetDeadline(time.Now().Add(30 * time.Second))
	_ = far.SetDeadline(time.Now().Add(30 * time.Second))
	server := tls.Server(far, w.Config("h2", "http/1.1"))
	wait.Go(func() {
		if server.HandshakeContext(t.Context()) == nil {
			_, _ = server.Write([]byte("x"))
		} else {
			_ = far.Close()
		}
	})
	conn := tls.Client(near, c)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		return "", err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // TLS 1.3 tells of a refusal after the handshake
		return "", err
	}
	if got := conn.ConnectionState(); got.NegotiatedProtocol != "h2" {
		t.Errorf("protocol %q", got.NegotiatedProtocol)
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestChangedCertificatesAreServedWithoutARestart(t *testing.T) {
	a := certstest.New(t)
	f := issue(a, "first", 1000*time.Hour)
	s := open(t, f)
	serves := func(want string) {
		t.Helper()
		s.at = s.at.Add(lookEvery)
		if got, err := s.dial(t, a, nil); got != want || err != nil {
			t.Errorf("serves %q, %v, want %q", got, err, want)
		}
	}
	serves("first")
	issue(a, "second", 2000*time.Hour)
	if got, err := s.dial(t, a, nil); got != "first" || err != nil {
		t.Errorf("within a second: %q, %v", got, err)
	}
	serves("second")
	if left := time.Until(s.Expires()); left < 1999*time.Hour {
		t.Errorf("expires in %v", left)
	}
	if !strings.Contains(s.log.String(), "certificates changed") || strings.Contains(s.log.String(), "runs out") {
		t.Errorf("the log: %s", &s.log)
	}

	// A new certificate whose key is still to come, a missing file, and no PEM at all.
	key, err := os.ReadFile(f.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(){
		"another's key": func() { issue(a, "third", 1000*time.Hour); _ = os.WriteFile(f.Key, key, 0o600) },
		"no file":       func() { _ = os.Remove(f.Cert) },
		"empty":         func() { _ = os.WriteFile(f.Cert, nil, 0o600) },
	} {
		damage()
		s.log.Reset()
		serves("second")
		serves("second")
		if n := strings.Count(s.log.String(), "level=ERROR"); n != 1 || strings.Contains(s.log.String(), "PRIVATE") {
			t.Errorf("%s: %d lines in the log: %s", name, n, &s.log)
		}
	}
	issue(a, "fourth", time.Hour)
	serves("fourth")
	if !strings.Contains(s.log.String(), "runs out soon") {
		t.Errorf("the log says nothing of an end within the hour: %s", &s.log)
	}
}

func TestClientsNeedACertificateOfTheAuthority(t *testing.T) {
	a, stranger := certstest.New(t), certstest.New(t)
	f := issue(a, "server", time.Hour)
	f.ClientCA = a.Write("ca.pem", "CERTIFICATE", a.Cert.Raw)
	s := open(t, f)
	client := func(of *certstest.Authority) *tls.Certificate {
		c, key := of.Make("client", time.Hour)
		return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key}
	}
	for name, c := range map[string]struct {
		client *tls.Certificate
		ok     bool
	}{
		"none": {nil, false}, "a stranger's": {client(stranger), false}, "the authority's": {client(a), true},
	} {
		if _, err := s.dial(t, a, c.client); (err == nil) != c.ok {
			t.Errorf("with certificate: %s: %v", name, err)
		}
	}
	// The authority changes too.
	a.Write("ca.pem", "CERTIFICATE", stranger.Cert.Raw)
	s.at = s.at.Add(lookEvery)
	if _, err := s.dial(t, a, client(a)); err == nil {
		t.Error("a client of the authority before is still let in")
	}
	if _, err := s.dial(t, a, client(stranger)); err != nil {
		t.Errorf("a client of the new authority: %v", err)
	}
}

func TestFilesAtFaultAreNamed(t *testing.T) {
	a := certstest.New(t)
	f := issue(a, "server", time.Hour)
	empty := a.Write("empty.pem", "NOTHING", nil)
	for name, c := range map[string]struct {
		files Files
		at    string
	}{
		"no certificate": {Files{Cert: f.Cert + "x", Key: f.Key}, f.Cert + "x"},
		"no key":         {Files{Cert: f.Cert, Key: f.Key + "x"}, f.Key + "x"},
		"not a pair":     {Files{Cert: f.Cert, Key: empty}, f.Cert},
		"no authority":   {Files{Cert: f.Cert, Key: f.Key, ClientCA: empty}, empty},
		"a directory":    {Files{Cert: a.Dir, Key: f.Key}, a.Dir},
	} {
		_, err := Open(c.files, slog.New(slog.DiscardHandler))
		if fault, ok := errors.AsType[*Fault](err); !ok || fault.File != c.at {
			t.Errorf("%s: %v", name, err)
		}
	}
}
