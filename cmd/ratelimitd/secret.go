package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unicode"
	"unicode/utf8"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	// mostSecret is the largest secret in bytes. Raising it takes a wrong file for a secret;
	// lowering it refuses long keys.
	mostSecret = 4096
	// leastSecret is the length of the shortest secret, in characters: 64 bits as hexadecimal
	// digits. Lowering it takes secrets that somebody can guess. Raising it refuses those that
	// other programs make.
	leastSecret = 16
	// mostCredentials is the largest file of credentials or certificates, in bytes. Raising it reads
	// wrong files; lowering it refuses long chains of certificates.
	mostCredentials = 1 << 20
)

// errShort comes together with the secret, so that secretOf can take a short password that another
// program chose.
var errShort = fmt.Errorf("must have at least %d characters", leastSecret)

// readSecret reads a secret: one line of visible characters, without the line's end that editors
// add. It is nil for no path. No error repeats any part of the secret.
func readSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := config.ReadRegular(path, mostSecret)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimRight(text, "\r\n")
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	case !utf8.Valid(text):
		return nil, fmt.Errorf("%s is not text in UTF-8", path)
	case bytes.ContainsAny(text, "\r\n"):
		return nil, fmt.Errorf("%s has more than one line", path)
	case bytes.ContainsFunc(text, hidden):
		return nil, fmt.Errorf("%s has a character that does not show", path)
	case bytes.ContainsFunc(text, unicode.IsSpace):
		return nil, fmt.Errorf("%s has a blank in it", path)
	case utf8.RuneCount(text) < leastSecret:
		return text, fmt.Errorf("%s: %w", path, errShort)
	}
	return text, nil
}

// secretOf reads the secret that a setting names. Only password and token for an external server may be
// short, because somebody else chose it.
func (p *plan) secretOf(key, path string) ([]byte, error) {
	secret, err := readSecret(path)
	if (key == "nats_password_file" || key == "nats_token_file") && p.settings.NATS != "" && errors.Is(err, errShort) {
		p.log.Warn("a short secret is easily guessed", "setting", key, "error", err)
		err = nil
	}
	if err != nil {
		return nil, at(p.settings, key, "%w", err)
	}
	return secret, nil
}

// warnOfReaders warns of secrets that every user of the machine can read or write. It is no fault,
// because there may be no other user, as in a container.
func (p *plan) warnOfReaders() {
	if runtime.GOOS == "windows" { // has no such permissions, and Go makes some up
		return
	}
	s := p.settings
	for _, secret := range []struct{ key, path string }{
		{"cluster_key_file", s.ClusterKeyFile},
		{"node_key_file", s.NodeKeyFile},
		{"admin_token_file", s.AdminTokenFile},
		{"api_token_file", s.APITokenFile},
		{"partition_key_file", s.PartitionKeyFile},
		{"tls_key", s.TLSKey},
		{"nats_password_file", s.NATSPasswordFile},
		{"nats_token_file", s.NATSTokenFile},
		{"cluster_tls_key", s.ClusterTLSKey},
		{"nats_creds", s.NATSCreds},
		{"nats_nkey", s.NATSNkey},
		{"nats_tls_key", s.NATSTLSKey},
		{"grpc_tls_key", s.GRPCTLSKey},
		{"xds_tls_key", s.XDS.TLSKey},
	} {
		if secret.path == "" {
			continue
		}
		if info, err := os.Stat(secret.path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o006 != 0 {
			p.log.Warn("every user of this machine can read or write a secret: take it from them with chmod o-rwx", "setting", secret.key, "file", secret.path, "mode", info.Mode().Perm())
		}
	}
}
