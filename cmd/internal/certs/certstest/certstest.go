// Package certstest makes certificates for tests.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates, and writes them into a directory of the test. Make one with
// New.
type Authority struct {
	Dir  string
	Cert *x509.Certificate // its own
	t    testing.TB
	key  *ecdsa.PrivateKey
	made int64
}

// New makes an authority. Its own certificate is in CA.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, Dir: t.TempDir()}
	a.Cert, a.key = a.Make("authority", time.Hour)
	return a
}

// CA is a file with the authority's own certificate.
func (a *Authority) CA() string { return a.Write("ca.pem", "CERTIFICATE", a.Cert.Raw) }

// Make makes a certificate for 127.0.0.1 that is valid for so long, and its key.
func (a *Authority) Make(name string, lasts time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.made++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(a.made), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts), BasicConstraintsValid: true, IsCA: a.Cert == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, by := a.Cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// Write writes a file of one PEM block, and returns its path.
func (a *Authority) Write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.Dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// Issue writes a certificate and its key as PREFIX-cert.pem and PREFIX-key.pem.
func (a *Authority) Issue(prefix, name string, lasts time.Duration) (certFile, keyFile string) {
	a.t.Helper()
	c, key := a.Make(name, lasts)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.Write(prefix+"-cert.pem", "CERTIFICATE", c.Raw), a.Write(prefix+"-key.pem", "EC PRIVATE KEY", der)
}
