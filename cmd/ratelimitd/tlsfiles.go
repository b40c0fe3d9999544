package main

import (
	"crypto/tls"
	"errors"
	"log/slog"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// tlsFiles are the files of a listener's certificate, and the settings that name them.
type tlsFiles struct {
	certs.Files
	cert, key, ca string
}

// open reads the files: nil if there are none.
func (f tlsFiles) open(s *config.Settings, log *slog.Logger) (*certs.Store, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.Join(
			needs(s, f.cert, f.Cert, f.key, f.Key), needs(s, f.key, f.Key, f.cert, f.Cert),
			needs(s, f.ca, f.ClientCA, f.cert, f.Cert),
		)
	}
	store, err := certs.Open(f.Files, log)
	if fault, ok := errors.AsType[*certs.Fault](err); ok {
		key := f.cert
		switch fault.File {
		case f.Key:
			key = f.key
		case f.ClientCA:
			key = f.ca
		}
		return nil, at(s, key, "%w", err)
	}
	return store, err
}

// listenerTLS is the TLS of -nats-listen, nil for none.
func listenerTLS(s *config.Settings, log *slog.Logger) (*tls.Config, error) {
	f := tlsFiles{certs.Files{Cert: s.NATSTLSCert, Key: s.NATSTLSKey, ClientCA: s.NATSTLSCA}, "nats_tls_cert", "nats_tls_key", "nats_tls_ca"}
	if s.NATSListen == "" {
		return nil, errors.Join(
			needs(s, f.cert, f.Cert, "nats", s.NATS), needs(s, f.key, f.Key, "nats", s.NATS), needs(s, f.ca, f.ClientCA, "nats", s.NATS),
		)
	}
	store, err := f.open(s, log)
	if store == nil {
		return nil, err
	}
	return store.Config(), err
}

// meshTLS is the TLS of -nats-cluster, nil for none. Both ends of a route present a certificate.
func meshTLS(s *config.Settings, log *slog.Logger) (*tls.Config, error) {
	f := tlsFiles{certs.Files{Cert: s.ClusterTLSCert, Key: s.ClusterTLSKey, ClientCA: s.ClusterTLSCA}, "cluster_tls_cert", "cluster_tls_key", "cluster_tls_ca"}
	faults := errors.Join(needs(s, f.cert, f.Cert, "nats_cluster", s.NATSCluster), needs(s, f.cert, f.Cert, f.ca, f.ClientCA))
	store, err := f.open(s, log)
	if store == nil || faults != nil {
		return nil, errors.Join(faults, err)
	}
	return store.Mutual(), err
}
