package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// Client names the PEM files of a client.
type Client struct {
	Cert, Key string // what the client presents; "" for nothing
	CA        string // the authorities that vouch for the server; "" for those of the system
	Name      string // that the server's certificate must have; "" for that of the address
}

// Config is the client's configuration, as the files are now. The error is a *Fault.
func (f Client) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.Name}
	if f.Cert != "" {
		read, err := Files{Cert: f.Cert, Key: f.Key}.read()
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(read[0], read[1])
		if err != nil {
			return nil, &Fault{f.Cert, err}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if f.CA != "" {
		text, err := config.ReadRegular(f.CA, mostBytes)
		if err != nil {
			return nil, &Fault{f.CA, err}
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, &Fault{f.CA, errors.New("holds no certificate in PEM")}
		}
	}
	return c, nil
}
