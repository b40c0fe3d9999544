package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// standInName is the program's name where it stands in for envoyproxy/ratelimit: gateways run
// /bin/ratelimit in an image of the operator's choice, and configure it by environment
// variables and ports.
const standInName = "ratelimit"

// standsIn reports whether the program was called by that name.
func standsIn(arg string) bool { return filepath.Base(arg) == standInName }

// foreign are the variables of envoyproxy/ratelimit, and what they come to as settings.
type foreign struct {
	env    map[string]string
	out    []string
	faults []error
}

// get is a variable's value, or its default there.
func (f *foreign) get(name, otherwise string) string {
	if value := f.env[name]; value != "" {
		return value
	}
	return otherwise
}

// is reads a variable that is true or false.
func (f *foreign) is(name string) bool {
	text := f.get(name, "false")
	value, err := strconv.ParseBool(text)
	if err != nil {
		f.faults = append(f.faults, usagef("environment %s: %q: must be true or false", name, text))
	}
	return value
}

// set gives a setting a value, unless its own variable is set.
func (f *foreign) set(key, value string) {
	name := config.EnvPrefix + strings.ToUpper(key)
	if value != "" && f.env[name] == "" {
		f.out = append(f.out, name+"="+value)
	}
}

func (f *foreign) setIf(key, variable string) {
	if f.is(variable) {
		f.set(key, "true")
	}
}

// translate adds to the environment our settings for the variables of envoyproxy/ratelimit.
// Our own variables go before them. Those of its Redis mean nothing here.
func translate(environ []string) ([]string, error) {
	f := &foreign{env: map[string]string{}}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		f.env[name] = value
	}
	f.set("http", net.JoinHostPort(f.get("HOST", "0.0.0.0"), f.get("PORT", "8080")))
	f.set("admin", net.JoinHostPort(f.get("DEBUG_HOST", "127.0.0.1"), f.get("DEBUG_PORT", "6070")))
	if path := f.get("GRPC_UDS", ""); path != "" {
		f.set("grpc", unixPrefix+path)
	} else {
		f.set("grpc", net.JoinHostPort(f.get("GRPC_HOST", "0.0.0.0"), f.get("GRPC_PORT", "8081")))
	}
	f.set("grpc_max_connection_age", f.get("GRPC_MAX_CONNECTION_AGE", ""))
	if f.is("GRPC_SERVER_USE_TLS") {
		f.set("grpc_tls_cert", f.get("GRPC_SERVER_TLS_CERT", ""))
		f.set("grpc_tls_key", f.get("GRPC_SERVER_TLS_KEY", ""))
		f.set("grpc_tls_client_ca", f.get("GRPC_CLIENT_TLS_CACERT", ""))
		f.set("grpc_tls_client_name", f.get("GRPC_CLIENT_TLS_SAN", ""))
	}
	f.log()
	f.rules()
	if f.is("USE_PROMETHEUS") {
		f.set("metrics", f.get("PROMETHEUS_ADDR", ":9090"))
		f.set("envoy_stats", "true")
		if path := f.get("PROMETHEUS_PATH", "/metrics"); path != "/metrics" {
			f.faults = append(f.faults, usagef("environment PROMETHEUS_PATH: %q: must be /metrics, where this service has its metrics", path))
		}
	}
	if f.is("LIMIT_RESPONSE_HEADERS_ENABLED") {
		f.set("envoy_legacy_headers", strings.Join([]string{
			f.get("LIMIT_LIMIT_HEADER", "RateLimit-Limit"), f.get("LIMIT_REMAINING_HEADER", "RateLimit-Remaining"), f.get("LIMIT_RESET_HEADER", "RateLimit-Reset"),
		}, ","))
	}
	f.setIf("envoy_shadow", "SHADOW_MODE")
	f.setIf("envoy_quota", "QUOTA_MODE")
	f.setIf("envoy_metadata", "RESPONSE_DYNAMIC_METADATA")
	f.setIf("envoy_merge_domains", "MERGE_DOMAIN_CONFIG")
	return append(environ, f.out...), errors.Join(f.faults...)
}

// log translates the log's settings. Levels that we lack become the nearest.
func (f *foreign) log() {
	f.set("log_format", strings.ToLower(f.get("LOG_FORMAT", "")))
	switch level := strings.ToLower(f.get("LOG_LEVEL", "")); level {
	case "trace":
		f.set("log_level", "debug")
	case "warning":
		f.set("log_level", "warn")
	case "fatal", "panic":
		f.set("log_level", "error")
	default:
		f.set("log_level", level)
	}
}

// rules translates where the rules come from.
func (f *foreign) rules() {
	switch from := f.get("CONFIG_TYPE", "FILE"); from {
	case "FILE":
		f.set("envoy_config", filepath.Join(
			f.get("RUNTIME_ROOT", "/srv/runtime_data/current"), f.get("RUNTIME_SUBDIRECTORY", ""), f.get("RUNTIME_APPDIRECTORY", "config")))
		return
	case "GRPC_XDS_SOTW":
	default:
		f.faults = append(f.faults, usagef("environment CONFIG_TYPE: %q: must be FILE or GRPC_XDS_SOTW", from))
		return
	}
	const p = "CONFIG_GRPC_XDS_"
	f.set("xds_server", f.get(p+"SERVER_URL", "localhost:18000"))
	f.set("xds_node_id", f.get(p+"NODE_ID", ""))
	f.set("xds_node_metadata", f.get(p+"NODE_METADATA", ""))
	f.set("xds_headers", strings.ReplaceAll(f.get(p+"CLIENT_ADDITIONAL_HEADERS", ""), ":", "=")) // it divides them by colons
	if f.is(p + "SERVER_USE_TLS") {
		f.set("xds_tls", "true")
		f.set("xds_tls_cert", f.get(p+"CLIENT_TLS_CERT", ""))
		f.set("xds_tls_key", f.get(p+"CLIENT_TLS_KEY", ""))
		f.set("xds_tls_ca", f.get(p+"SERVER_TLS_CACERT", ""))
		f.set("xds_tls_name", f.get(p+"SERVER_TLS_SAN", ""))
	}
	if f.is("FORCE_START_WITHOUT_INITIAL_CONFIG") && !f.is("HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED") {
		f.set("xds_optional", "true")
	}
}

// environment is the process's environment as settings are read from it.
func environment(arg string, environ []string) ([]string, error) {
	if !standsIn(arg) {
		return environ, nil
	}
	all, err := translate(environ)
	if err != nil {
		return nil, fmt.Errorf("as %s: %w", standInName, err)
	}
	return all, nil
}
