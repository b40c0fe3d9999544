package main

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// standInName is the program's name where it stands in for envoyproxy/ratelimit: gateways run
// /bin/ratelimit in an image of the operator's choice, and configure it by environment
// variables and ports.
const standInName = "ratelimit"

// standsIn reports whether the program was called by that name.
func standsIn(arg string) bool { return filepath.Base(arg) == standInName }

// foreign are the variables of envoyproxy/ratelimit, and what they come to as settings. The
// variables of its Redis mean nothing here.
type foreign struct {
	env      map[string]string
	out      []assignment
	faults   []error
	warnings []string
}

func newForeign(environ []string) *foreign {
	f := &foreign{env: map[string]string{}}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		f.env[name] = value
	}
	return f
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

// set gives a setting the value that a variable comes to.
func (f *foreign) set(key, value, variable string) {
	if value != "" {
		f.out = append(f.out, assignment{key, value, "environment " + variable})
	}
}

// copy gives a setting the value of a variable.
func (f *foreign) copy(key, variable string) { f.set(key, f.get(variable, ""), variable) }

func (f *foreign) setIf(key, variable string) {
	if f.is(variable) {
		f.set(key, "true", variable)
	}
}

// settings are our settings for the variables, but for those of rules. Our file, our variables and
// flags go before them.
func (f *foreign) settings() []assignment {
	f.set("http", net.JoinHostPort(f.get("HOST", "0.0.0.0"), f.get("PORT", "8080")), "PORT")
	f.set("admin", net.JoinHostPort(f.get("DEBUG_HOST", "127.0.0.1"), f.get("DEBUG_PORT", "6070")), "DEBUG_PORT")
	if path := f.get("GRPC_UDS", ""); path != "" {
		f.set("grpc", unixPrefix+path, "GRPC_UDS")
	} else {
		f.set("grpc", net.JoinHostPort(f.get("GRPC_HOST", "0.0.0.0"), f.get("GRPC_PORT", "8081")), "GRPC_PORT")
	}
	age := f.get("GRPC_MAX_CONNECTION_AGE", "")
	if d, err := time.ParseDuration(age); err == nil && d > config.MaxAge {
		age = config.MaxAge.String()
	}
	f.set("grpc_max_connection_age", age, "GRPC_MAX_CONNECTION_AGE")
	if f.is("GRPC_SERVER_USE_TLS") {
		f.copy("grpc_tls_cert", "GRPC_SERVER_TLS_CERT")
		f.copy("grpc_tls_key", "GRPC_SERVER_TLS_KEY")
		if f.env["GRPC_CLIENT_TLS_CACERT"] != "" { // without it, nobody looks at the name there either
			f.copy("grpc_tls_client_ca", "GRPC_CLIENT_TLS_CACERT")
			f.copy("grpc_tls_client_name", "GRPC_CLIENT_TLS_SAN")
		}
	}
	f.log()
	if f.is("USE_PROMETHEUS") {
		f.set("metrics", f.get("PROMETHEUS_ADDR", ":9090"), "PROMETHEUS_ADDR")
		f.set("envoy_stats", "true", "USE_PROMETHEUS")
		if path := f.get("PROMETHEUS_PATH", "/metrics"); path != "/metrics" {
			f.faults = append(f.faults, usagef("environment PROMETHEUS_PATH: %q: must be /metrics, where this service has its metrics", path))
		}
	}
	if f.is("LIMIT_RESPONSE_HEADERS_ENABLED") {
		f.set("envoy_legacy_headers", strings.Join([]string{
			f.get("LIMIT_LIMIT_HEADER", "RateLimit-Limit"), f.get("LIMIT_REMAINING_HEADER", "RateLimit-Remaining"), f.get("LIMIT_RESET_HEADER", "RateLimit-Reset"),
		}, ","), "LIMIT_RESPONSE_HEADERS_ENABLED")
	}
	f.setIf("envoy_shadow", "SHADOW_MODE")
	f.setIf("envoy_quota", "QUOTA_MODE")
	f.setIf("envoy_metadata", "RESPONSE_DYNAMIC_METADATA")
	f.setIf("envoy_merge_domains", "MERGE_DOMAIN_CONFIG")
	if f.env["USE_STATSD"] != "" && f.is("USE_STATSD") {
		f.warnings = append(f.warnings, "environment USE_STATSD: nothing is sent to statsd: USE_PROMETHEUS=true serves the same numbers")
	}
	return f.out
}

// log translates the log's settings. Levels that we lack become the nearest.
func (f *foreign) log() {
	f.set("log_format", strings.ToLower(f.get("LOG_FORMAT", "")), "LOG_FORMAT")
	level := strings.ToLower(f.get("LOG_LEVEL", ""))
	switch level {
	case "trace":
		level = "debug"
	case "warning":
		level = "warn"
	case "fatal", "panic":
		level = "error"
	}
	f.set("log_level", level, "LOG_LEVEL")
}

// rules are the settings that say where the rules come from, for want of a source of our own. Our
// further settings of such a source go before them.
func (f *foreign) rules(s *config.Settings) []assignment {
	f.out = nil
	switch from := f.get("CONFIG_TYPE", "FILE"); from {
	case "FILE":
		f.set("envoy_config", filepath.Join(
			f.get("RUNTIME_ROOT", "/srv/runtime_data/current"), f.get("RUNTIME_SUBDIRECTORY", ""), f.get("RUNTIME_APPDIRECTORY", "config")), "RUNTIME_ROOT")
	case "GRPC_XDS_SOTW":
		f.controlPlane()
	default:
		f.faults = append(f.faults, usagef("environment CONFIG_TYPE: %q: must be FILE or GRPC_XDS_SOTW", from))
	}
	return slices.DeleteFunc(f.out, func(a assignment) bool { return s.Origin(a.key) != "" })
}

// controlPlane translates whose rules are followed, and how.
func (f *foreign) controlPlane() {
	const p = "CONFIG_GRPC_XDS_"
	f.set("xds_server", f.get(p+"SERVER_URL", "localhost:18000"), p+"SERVER_URL")
	f.copy("xds_node_id", p+"NODE_ID")
	f.copy("xds_node_metadata", p+"NODE_METADATA")
	f.set("xds_headers", strings.ReplaceAll(f.get(p+"CLIENT_ADDITIONAL_HEADERS", ""), ":", "="), p+"CLIENT_ADDITIONAL_HEADERS") // it divides them by colons
	if f.is(p + "SERVER_USE_TLS") {
		f.set("xds_tls", "true", p+"SERVER_USE_TLS")
		f.copy("xds_tls_cert", p+"CLIENT_TLS_CERT")
		f.copy("xds_tls_key", p+"CLIENT_TLS_KEY")
		f.copy("xds_tls_ca", p+"SERVER_TLS_CACERT")
		f.copy("xds_tls_name", p+"SERVER_TLS_SAN")
	}
	if f.is("FORCE_START_WITHOUT_INITIAL_CONFIG") && !f.is("HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED") {
		f.set("xds_optional", "true", "FORCE_START_WITHOUT_INITIAL_CONFIG")
	}
}
