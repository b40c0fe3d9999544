// Package certs serves TLS with certificates from files, and takes them anew when the files
// change, so certificates that run out within days need no restart.
//
// Open reads the files, and Store.Config is for every server that uses them, for HTTP and gRPC
// alike. A handshake looks at the files at most once a second. A certificate may be of no use,
// for example because its key is still to be written. The log then says so once, and the last good
// one goes on.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// Files name PEM files.
type Files struct {
	Cert string // the server's certificate, and those that link it to an authority
	Key  string // of that certificate
	// ClientCA has the authorities. Every client has to present a certificate of one of them. ""
	// asks clients for none.
	ClientCA string
}

// Fault is an error about one of the files.
type Fault struct {
	File string
	Err  error
}

// Error names the file once.
func (f *Fault) Error() string {
	text := f.Err.Error()
	if strings.Contains(text, f.File) {
		return text
	}
	return f.File + ": " + text
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

const (
	// lookEvery is how long handshakes use what was read. Raising it serves an old certificate
	// for longer. Lowering it reads the files more often while many clients connect.
	lookEvery = time.Second
	// mostBytes is the largest file that is read. Raising it takes memory for a file that is
	// none of certificates; lowering it refuses long lists of authorities.
	mostBytes = 1 << 20
	// soon is how long before the end of a certificate the log warns when it is taken over.
	// Raising it warns of certificates that live for a week only; lowering it warns too late.
	soon = 72 * time.Hour
)

// Store holds the certificates of Files. Make one with Open. Safe for concurrent use.
type Store struct {
	files Files
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex // guards what follows; held over the reading of three small files
	held    *tls.Config
	read    contents // what held was made from
	failure string   // of the last look, "" for none
	looked  time.Time
}

// contents are those of Files, in the order of its fields; nil for a file that there is not.
type contents [3][]byte

// Open reads the files. The error joins a *Fault for each file at fault.
func Open(f Files, log *slog.Logger) (*Store, error) {
	s := &Store{files: f, log: log, now: time.Now}
	read, err := f.read()
	if err != nil {
		return nil, err
	}
	c, err := f.config(read)
	if err != nil {
		return nil, err
	}
	s.looked = s.now()
	s.take(c, read)
	return s, nil
}

// Config is for a server that speaks the given protocols (ALPN), such as "h2". It always has
// the certificates that hold at a handshake.
func (s *Store) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := s.current().Clone()
			c.NextProtos = protocols
			return c, nil
		},
	}
}

// Mutual is for a server of a mesh, which presents its certificate when it dials and when it is
// dialled, and asks for the other's. Files.ClientCA vouches for both. A new certificate holds from
// the next handshake on; new authorities for those who are dialled hold after a restart.
func (s *Store) Mutual() *tls.Config {
	c := s.Config()
	c.RootCAs = s.current().ClientCAs
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &s.current().Certificates[0], nil
	}
	return c
}

// Expires is when the certificate that is served ends.
func (s *Store) Expires() time.Time { return leaf(s.current()).NotAfter }

// current is what holds now.
func (s *Store) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.looked) >= lookEvery {
		s.looked = now
		s.look()
	}
	return s.held
}

// look takes the files over if they changed. mu is held.
func (s *Store) look() {
	read, err := s.files.read()
	if err == nil && slices.EqualFunc(read[:], s.read[:], bytes.Equal) {
		s.failure = ""
		return
	}
	var next *tls.Config
	if err == nil {
		next, err = s.files.config(read)
	}
	if err == nil {
		s.take(next, read)
		s.log.Info("certificates changed", "file", s.files.Cert, "until", leaf(next).NotAfter)
		return
	}
	if why := config.OneLine(err); why != s.failure {
		s.failure = why
		s.log.Error("changed certificates cannot be used: the last good ones go on", "error", why)
	}
}

// take serves c from now on. mu is held, or nobody else has s yet.
func (s *Store) take(c *tls.Config, read contents) {
	s.held, s.read, s.failure = c, read, ""
	if left := leaf(c).NotAfter.Sub(s.now()); left < soon {
		s.log.Warn("the certificate runs out soon, or has", "file", s.files.Cert, "until", leaf(c).NotAfter)
	}
}

func leaf(c *tls.Config) *x509.Certificate { return c.Certificates[0].Leaf }

// read reads all files. Those that cannot be read are nil.
func (f Files) read() (read contents, err error) {
	var faults []error
	for i, path := range [3]string{f.Cert, f.Key, f.ClientCA} {
		if path == "" {
			continue
		}
		text, err := config.ReadRegular(path, mostBytes)
		if err != nil {
			faults = append(faults, &Fault{path, err})
			continue
		}
		read[i] = text
	}
	return read, errors.Join(faults...)
}

// config is what the contents of the files come to.
func (f Files) config(read contents) (*tls.Config, error) {
	var faults []error
	pair, err := tls.X509KeyPair(read[0], read[1])
	if err != nil {
		faults = append(faults, &Fault{f.Cert, err})
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if f.ClientCA != "" {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(read[2]) {
			faults = append(faults, &Fault{f.ClientCA, errors.New("holds no certificate in PEM")})
		}
	}
	return c, errors.Join(faults...)
}
