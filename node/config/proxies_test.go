package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func TestTrustedProxiesAreNetworks(t *testing.T) {
	s := config.Default()
	if got, err := s.Proxies(); len(got) != 0 || err != nil {
		t.Errorf("without the setting: got %v, %v", got, err)
	}
	if err := s.Parse("f.yaml", []byte("trusted_proxies: [10.0.0.0/8, '2001:db8::1', '::ffff:192.0.2.0/120']\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Proxies(); fmt.Sprint(got) != "[10.0.0.0/8 2001:db8::1/128 192.0.2.0/24]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	s.TrustedProxies = "x,10.0.0.0/8,y/8"
	if _, err := s.Proxies(); err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"y/8"`) {
		t.Errorf("got %v", err)
	}
}
