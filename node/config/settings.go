package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// Settings are all settings of the daemon. Make them with Default. They are for one
// goroutine. Reading them checks nothing outside the process, such as whether a file
// exists.
type Settings struct {
	Name, Cluster, ClusterKeyFile string
	NodeKeyFile, NodeKeys         string     // files
	Default                       spec.Limit // the limit "default", without the fields that a file gives it under limits

	HTTP, Metrics, GRPC                string
	GRPCTLSCert, GRPCTLSKey            string // files
	GRPCTLSClientCA, GRPCTLSClientName string // a file, and a name in clients' certificates
	GRPCMaxConnectionAge               Age
	Envoy                              Envoy
	XDS                                XDS
	AdminTokenFile, Admin              string
	APITokenFile                       string
	PartitionKeyFile                   string
	HTTPHosts                          string // names, separated by commas
	TLSCert, TLSKey                    string // files
	TLSClientCA                        string // a file
	DrainDelay                         Delay  // between SIGTERM and the end of serving
	RedactClients                      bool
	TrustedProxies                     string // networks, separated by commas

	NATS                               string // URLs, separated by commas
	NATSCreds, NATSNkey                string // files
	NATSUser, NATSPasswordFile         string
	NATSTokenFile                      string
	NATSTLSCA, NATSTLSCert, NATSTLSKey string // files
	NATSKVBucket                       string // a bucket on that server
	NATSAPI                            bool
	NATSListen, NATSCluster            string // addresses of the embedded server
	ClusterAdvertise                   string // the address that other embedded servers dial
	NATSRoutes                         string // URLs, separated by commas
	ClusterTLSCert, ClusterTLSKey      string // files
	ClusterTLSCA                       string // a file
	SubjectPrefix                      string

	MaxClients          int64
	OnFull              string
	Nodes               int64
	Roster              string // names, separated by commas
	StateDir            string
	SnapshotInterval    Delay // between two files of counts; 0 is none
	LogFormat, LogLevel string

	limits  map[string]written
	origins map[string]string // where each set key stands, such as "flag -limit"
}

// Envoy are the settings of Envoy's rate limit service.
type Envoy struct {
	Config        string // a directory of rules
	MergeDomains  bool
	Headers       string // HeadersIETF or HeadersNone
	LegacyHeaders string // three names, separated by commas
	Metadata      bool
	Shadow, Quota bool
	Stats         bool
}

// The values of Envoy.Headers.
const (
	HeadersIETF = "ietf"
	HeadersNone = "none"
)

// XDS are the settings of the control plane that Envoy's rules come from.
type XDS struct {
	Server                 string // an address
	NodeID, NodeMetadata   string // the metadata are pairs, as are the headers
	Headers                string
	TLS                    bool
	TLSCA, TLSCert, TLSKey string // files
	TLSName                string
	Optional               bool // requests pass, and health is good, before the first rules
}

// Default returns the built-in settings.
func Default() Settings {
	s := Settings{
		Cluster: "default", HTTP: "127.0.0.1:8080", SubjectPrefix: "ratelimit",
		DrainDelay: Delay(4 * time.Second), SnapshotInterval: Delay(time.Minute), GRPCMaxConnectionAge: Age(24 * time.Hour),
		Envoy: Envoy{Headers: HeadersIETF}, XDS: XDS{NodeID: "default"},
		MaxClients: node.DefaultMaxClients, OnFull: "share", LogFormat: "text", LogLevel: "info",
		limits: map[string]written{}, origins: map[string]string{},
	}
	s.Default = spec.Limit{Limit: 100, Window: spec.Window{Duration: time.Minute}, MaxOvershoot: node.DefaultMaxOvershoot}
	return s
}

// Setting is one setting: its key, and how the manual shows it.
type Setting struct {
	Key   string
	Arg   string // placeholder of the value in the manual; "" for none
	Usage string
	into  any
	list  bool // YAML may give it as a list
}

// Flag is the setting's name on the command line.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Env is the setting's name in the environment.
func (s Setting) Env() string { return EnvPrefix + strings.ToUpper(s.Key) }

// IsBool reports whether the setting is true or false, so that its flag needs no value.
func (s Setting) IsBool() bool {
	_, ok := s.into.(*bool)
	return ok
}

// EnvPrefix begins the names of all environment variables.
const EnvPrefix = "RATELIMITD_"

// All lists the settings in the order of the manual.
func (s *Settings) All() []Setting {
	return []Setting{
		{Key: "name", Arg: "NAME", Usage: "node name (default: the host's name)", into: &s.Name},
		{Key: "cluster", Arg: "NAME", Usage: "name of the cluster; its nodes count together", into: &s.Cluster},
		{Key: "cluster_key_file", Arg: "FILE", Usage: "secret that all nodes of the cluster share (default: a public one)", into: &s.ClusterKeyFile},
		{Key: "node_key_file", Arg: "FILE", Usage: "this node's own key, which signs what it says; ratelimitctl node-key makes one", into: &s.NodeKeyFile},
		{Key: "node_keys", Arg: "FILE", Usage: "public keys of all nodes: what is not signed by its sender is refused; read again when it changes", into: &s.NodeKeys},
		{Key: "limit", Arg: "N", Usage: "units per window for each client, of the limit \"default\"", into: &s.Default.Limit},
		{Key: "window", Arg: "SECONDS|DURATION", Usage: "window of the limit \"default\"", into: &s.Default.Window},
		{Key: "burst", Arg: "N", Usage: "units that may pass at once (default: the limit)", into: &s.Default.Burst},
		{Key: "max_overshoot", Arg: "RATIO", Usage: "share of the burst by which nodes together may typically overshoot", into: &s.Default.MaxOvershoot},
		{Key: "http", Arg: "ADDR", Usage: "API, health, metrics and a page for people", into: &s.HTTP},
		{Key: "metrics", Arg: "ADDR", Usage: "metrics alone, beside /metrics on -http (default: off)", into: &s.Metrics},
		{Key: "grpc", Arg: "ADDR|unix:PATH", Usage: "Envoy's rate limit service (default: off)", into: &s.GRPC},
		{Key: "grpc_tls_cert", Arg: "FILE", Usage: "certificate of that service, which is plain without one", into: &s.GRPCTLSCert},
		{Key: "grpc_tls_key", Arg: "FILE", Usage: "key of that certificate", into: &s.GRPCTLSKey},
		{Key: "grpc_tls_client_ca", Arg: "FILE", Usage: "certificates that vouch for its clients, who then need one", into: &s.GRPCTLSClientCA},
		{Key: "grpc_tls_client_name", Arg: "NAME", Usage: "name that a client's certificate must have", into: &s.GRPCTLSClientName},
		{Key: "grpc_max_connection_age", Arg: "SECONDS|DURATION", Usage: "how long a connection lasts until its client is to look for all nodes again", into: &s.GRPCMaxConnectionAge},
		{Key: "envoy_config", Arg: "DIR", Usage: "rules of envoyproxy/ratelimit, one domain in a file", into: &s.Envoy.Config},
		{Key: "envoy_merge_domains", Usage: "let several files have rules of one domain", into: &s.Envoy.MergeDomains},
		{Key: "envoy_headers", Arg: "ietf|none", Usage: "fields that Envoy adds to answers: RateLimit, RateLimit-Policy and Retry-After, or none", into: &s.Envoy.Headers},
		{Key: "envoy_legacy_headers", Arg: "L,R,T", Usage: "names of three more fields: for the limit, what is left, and seconds until all of it is there", into: &s.Envoy.LegacyHeaders, list: true},
		{Key: "envoy_metadata", Usage: "put the request and the metadata of its rules into dynamic_metadata", into: &s.Envoy.Metadata},
		{Key: "envoy_shadow", Usage: "let every request of Envoy's pass, and still count", into: &s.Envoy.Shadow},
		{Key: "envoy_quota", Usage: "treat every rule as if it had quota_mode", into: &s.Envoy.Quota},
		{Key: "envoy_stats", Usage: "metrics by rule, under the names of envoyproxy/ratelimit", into: &s.Envoy.Stats},
		{Key: "xds_server", Arg: "ADDR", Usage: "take Envoy's rules from this control plane", into: &s.XDS.Server},
		{Key: "xds_node_id", Arg: "ID", Usage: "this service's name at the control plane", into: &s.XDS.NodeID},
		{Key: "xds_node_metadata", Arg: "K=V[,K=V]", Usage: "what else the control plane is told of this service", into: &s.XDS.NodeMetadata, list: true},
		{Key: "xds_headers", Arg: "K=V[,K=V]", Usage: "gRPC metadata for the control plane", into: &s.XDS.Headers, list: true},
		{Key: "xds_tls", Usage: "speak TLS to the control plane", into: &s.XDS.TLS},
		{Key: "xds_tls_ca", Arg: "FILE", Usage: "certificates that vouch for the control plane (default: the system's)", into: &s.XDS.TLSCA},
		{Key: "xds_tls_cert", Arg: "FILE", Usage: "client certificate for the control plane", into: &s.XDS.TLSCert},
		{Key: "xds_tls_key", Arg: "FILE", Usage: "key of that certificate", into: &s.XDS.TLSKey},
		{Key: "xds_tls_name", Arg: "NAME", Usage: "name that the control plane's certificate must have", into: &s.XDS.TLSName},
		{Key: "xds_optional", Usage: "be ready before the control plane has sent rules", into: &s.XDS.Optional},
		{Key: "admin_token_file", Arg: "FILE", Usage: "token that writes must present: changes of limits, resets", into: &s.AdminTokenFile},
		{Key: "api_token_file", Arg: "FILE", Usage: "token that decisions and reads must present (default: they need none)", into: &s.APITokenFile},
		{Key: "partition_key_file", Arg: "FILE", Usage: "secret for the partition keys (pk) of RateLimit fields (default: they have none)", into: &s.PartitionKeyFile},
		{Key: "http_hosts", Arg: "NAME[,NAME]", Usage: "names by which requests may call a loopback address of -http, beside localhost", into: &s.HTTPHosts, list: true},
		{Key: "tls_cert", Arg: "FILE", Usage: "certificate for -http, which is plain without one; read again when it changes", into: &s.TLSCert},
		{Key: "tls_key", Arg: "FILE", Usage: "key of that certificate", into: &s.TLSKey},
		{Key: "tls_client_ca", Arg: "FILE", Usage: "authorities of which every client has to present a certificate", into: &s.TLSClientCA},
		{Key: "admin", Arg: "ADDR", Usage: "pprof, on loopback unless a host is given (default: off)", into: &s.Admin},
		{Key: "drain_delay", Arg: "SECONDS|DURATION", Usage: "how long to serve on after SIGTERM, not ready, while clients go elsewhere", into: &s.DrainDelay},
		{Key: "redact_clients", Usage: "show clients in lists and on the dashboard under made-up names", into: &s.RedactClients},
		{Key: "trusted_proxies", Arg: "CIDR[,CIDR]", Usage: "proxies that may ask /v1/forward about a client's address", into: &s.TrustedProxies, list: true},
		{Key: "nats", Arg: "URL[,URL]", Usage: "use an external NATS server", into: &s.NATS, list: true},
		{Key: "nats_creds", Arg: "FILE", Usage: "credentials file for NATS", into: &s.NATSCreds},
		{Key: "nats_nkey", Arg: "FILE", Usage: "NKey seed file for NATS", into: &s.NATSNkey},
		{Key: "nats_user", Arg: "USER", Usage: "user for NATS; with -nats-listen, the user that clients must present", into: &s.NATSUser},
		{Key: "nats_password_file", Arg: "FILE", Usage: "password of that user", into: &s.NATSPasswordFile},
		{Key: "nats_token_file", Arg: "FILE", Usage: "token for NATS, on servers that ask for one", into: &s.NATSTokenFile},
		{Key: "nats_tls_ca", Arg: "FILE", Usage: "authorities that vouch for NATS servers; with -nats-listen, for clients, which then need a certificate", into: &s.NATSTLSCA},
		{Key: "nats_tls_cert", Arg: "FILE", Usage: "client certificate for NATS; with -nats-listen, the server's", into: &s.NATSTLSCert},
		{Key: "nats_tls_key", Arg: "FILE", Usage: "key of that certificate", into: &s.NATSTLSKey},
		{Key: "nats_kv_bucket", Arg: "NAME", Usage: "take limits from this JetStream key-value bucket, on the server of -nats", into: &s.NATSKVBucket},
		{Key: "nats_api", Usage: "answer programs over NATS, as the service ratelimiter", into: &s.NATSAPI},
		{Key: "nats_listen", Arg: "ADDR", Usage: "let NATS clients connect to the embedded server", into: &s.NATSListen},
		{Key: "nats_cluster", Arg: "ADDR", Usage: "let the embedded servers of other nodes connect; they form a mesh", into: &s.NATSCluster},
		{Key: "cluster_advertise", Arg: "ADDR", Usage: "address of this embedded server for the others, if they cannot dial that of -nats-cluster", into: &s.ClusterAdvertise},
		{Key: "cluster_tls_cert", Arg: "FILE", Usage: "certificate by which the mesh is encrypted; it vouches for both ends", into: &s.ClusterTLSCert},
		{Key: "cluster_tls_key", Arg: "FILE", Usage: "key of that certificate", into: &s.ClusterTLSKey},
		{Key: "cluster_tls_ca", Arg: "FILE", Usage: "authorities that vouch for the mesh's certificates", into: &s.ClusterTLSCA},
		{Key: "nats_routes", Arg: "URL[,URL]", Usage: "embedded servers of other nodes; the list may contain this one", into: &s.NATSRoutes, list: true},
		{Key: "subject_prefix", Arg: "P", Usage: "beginning of all NATS subjects", into: &s.SubjectPrefix},
		{Key: "nodes", Arg: "N", Usage: "number of nodes in the cluster, if known, for limits whose on_isolation is not keep", into: &s.Nodes},
		{Key: "roster", Arg: "NAME[,NAME]", Usage: "names of all nodes, the same list on each, for limits whose consistency is bounded", into: &s.Roster, list: true},
		{Key: "max_clients", Arg: "N", Usage: "most clients in the table", into: &s.MaxClients},
		{Key: "on_full", Arg: "share|open", Usage: "what happens to unknown clients while the table is full: each is held to its limit by an estimate, or all pass", into: &s.OnFull},
		{Key: "state_dir", Arg: "DIR", Usage: "keep set limits, and what clients used, over a restart of all nodes", into: &s.StateDir},
		{Key: "snapshot_interval", Arg: "SECONDS|DURATION", Usage: "how often to save what clients used to -state-dir, at least 1s; 0 is never", into: &s.SnapshotInterval},
		{Key: "log_format", Arg: "text|json", Usage: "format of the log", into: &s.LogFormat},
		{Key: "log_level", Arg: "LEVEL", Usage: "debug, info, warn or error", into: &s.LogLevel},
	}
}

// Text is the setting's value as a user would write it, "" if it is empty.
func (s Setting) Text() string {
	switch v := s.into.(type) {
	case *string:
		return *v
	case *int64:
		if *v == 0 {
			return ""
		}
		return fmt.Sprint(*v)
	case *bool:
		if !*v {
			return ""
		}
		return "true"
	case *float64:
		return fmt.Sprint(*v)
	case *spec.Window:
		return v.String()
	case *Delay:
		return v.String()
	case *Age:
		return v.String()
	}
	return ""
}

// Set reads one setting from text. origin says where the text stands, such as "flag
// -limit". The error begins with it.
func (s *Settings) Set(key, text, origin string) error {
	for _, set := range s.All() {
		if set.Key == key {
			if err := (spec.Field{Name: key, Into: set.into}).Set(spec.Text, text); err != nil {
				return fmt.Errorf("%s: %w", origin, err)
			}
			s.origins[key] = origin
			return nil
		}
	}
	return fmt.Errorf("%s: %q is no setting", origin, key)
}

// Origin says where a setting comes from, "" for a default.
func (s *Settings) Origin(key string) string { return s.origins[key] }
