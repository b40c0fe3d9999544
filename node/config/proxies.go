package config

import (
	"net/netip"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
)

// Proxies are the networks of TrustedProxies. The error joins every fault.
func (s *Settings) Proxies() ([]netip.Prefix, error) {
	if s.TrustedProxies == "" {
		return nil, nil
	}
	t, err := proxies.Parse(strings.Split(s.TrustedProxies, ",")...)
	return t.Networks(), err
}
