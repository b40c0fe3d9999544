package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// link is the node's way to the others: through an external NATS server, or an embedded one.
type link struct {
	url      string // external
	options  []nats.Option
	token    string // by which an embedded server of another process knows the node; "" for none
	embedded embednats.Config
	peers    bool // the settings name other servers, so peers should be there
	open     bool // other nodes can connect, whether the settings name them or not
	key      bool // a cluster key is set
}

// natsSecrets are what files hold.
type natsSecrets struct{ password, token string }

func newLink(s *config.Settings, secrets natsSecrets, key []byte, log *slog.Logger) (*link, error) {
	l := &link{
		url: s.NATS, key: len(key) > 0, peers: s.NATS != "" || s.NATSRoutes != "",
		open: s.NATS != "" || s.NATSListen != "" || s.NATSCluster != "",
	}
	if (s.NATSUser == "") != (s.NATSPasswordFile == "") {
		return l, errors.Join(needs(s, "nats_user", s.NATSUser, "nats_password_file", s.NATSPasswordFile),
			needs(s, "nats_password_file", s.NATSPasswordFile, "nats_user", s.NATSUser))
	}
	if s.NATS == "" {
		err := l.embed(s, secrets.password, key, log)
		return l, err
	}
	for key, value := range map[string]string{
		"nats_listen": s.NATSListen, "nats_cluster": s.NATSCluster,
		"cluster_advertise": s.ClusterAdvertise, "nats_routes": s.NATSRoutes,
		"cluster_tls_cert": s.ClusterTLSCert, "cluster_tls_key": s.ClusterTLSKey, "cluster_tls_ca": s.ClusterTLSCA,
	} {
		if value != "" {
			return l, at(s, key, "is for the embedded server, and -nats is for an external one: give one of them")
		}
	}
	if s.NATSTokenFile == "" && s.NATSCreds == "" && s.NATSNkey == "" {
		l.token = embednats.NodeToken(nodeSecret(key), cmp.Or(s.Name, node.DefaultName()))
	}
	err := l.dial(s, secrets)
	return l, err
}

// nodeSecret is that by which embedded servers know nodes.
func nodeSecret(key []byte) []byte {
	if len(key) == 0 {
		key = []byte(deltasync.DefaultClusterKey)
	}
	return derive(key, "nats clients that are nodes")
}

func derive(key []byte, use string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(use))
	return h.Sum(nil)
}

// embed makes a link through an embedded server.
func (l *link) embed(s *config.Settings, password string, key []byte, log *slog.Logger) error {
	var faults []error
	for key, value := range map[string]string{
		"nats_creds": s.NATSCreds, "nats_nkey": s.NATSNkey, "nats_token_file": s.NATSTokenFile,
	} {
		faults = append(faults, needs(s, key, value, "nats", s.NATS))
	}
	clientTLS, clientFault := listenerTLS(s, log)
	clusterTLS, clusterFault := meshTLS(s, log)
	faults = append(faults, clientFault, clusterFault, bucketFault(s), needs(s, "nats_user", s.NATSUser, "nats_listen", s.NATSListen),
		needs(s, "nats_routes", s.NATSRoutes, "nats_cluster", s.NATSCluster), judgeAdvertised(s))
	l.embedded = embednats.Config{
		Name: s.Name, ClientListen: s.NATSListen, User: s.NATSUser, Password: password,
		ClusterListen: s.NATSCluster, ClusterAdvertise: s.ClusterAdvertise, Routes: split(s.NATSRoutes),
		ClientTLS: clientTLS, ClusterTLS: clusterTLS, NodeSecret: nodeSecret(key),
		NodePermissions: func(node string) (publish, subscribe []string) {
			p := deltasync.PermissionsOf(s.SubjectPrefix, s.Cluster, node)
			return p.Publish, p.Subscribe
		},
	}
	if len(key) > 0 {
		// Servers of a mesh can publish as any node, so they have to know the key.
		l.embedded.RoutePassword = hex.EncodeToString(derive(key, "route password"))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if s.NATSRoutes != "" && len(l.embedded.Routes) == 0 {
		return at(s, "nats_routes", "%q names no server", s.NATSRoutes)
	}
	routes := embednats.Config{ClusterListen: "127.0.0.1:0", Routes: l.embedded.Routes}
	if err := routes.Validate(); err != nil {
		return at(s, "nats_routes", "%w", err)
	}
	if judgeAddresses(s) != nil || (password == "" && s.NATSPasswordFile != "") {
		return nil // newPlan reports that fault
	}
	if err := l.embedded.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

// judgeAdvertised refuses an address that nobody can dial. Other servers would try it again and
// again, and the operator would look for the fault in a firewall.
func judgeAdvertised(s *config.Settings) error {
	if s.ClusterAdvertise == "" || s.NATSCluster == "" {
		return needs(s, "cluster_advertise", s.ClusterAdvertise, "nats_cluster", s.NATSCluster)
	}
	host, port, err := net.SplitHostPort(s.ClusterAdvertise)
	n, numErr := strconv.ParseUint(port, 10, 16)
	ip := net.ParseIP(host)
	if err != nil || numErr != nil || n == 0 || host == "" || ip != nil && ip.IsUnspecified() {
		return at(s, "cluster_advertise", "%q: must be a host and port that other nodes can dial, such as 203.0.113.7:6222", s.ClusterAdvertise)
	}
	return nil
}

// needs returns a fault if somebody gave one setting without the other.
func needs(s *config.Settings, key, value, other, otherValue string) error {
	if value == "" || otherValue != "" {
		return nil
	}
	return at(s, key, "is of no use without -%s", strings.ReplaceAll(other, "_", "-"))
}

// dial makes a link to an external server. It reads the files now, so that the start finds a wrong
// one, even while the server is away.
func (l *link) dial(s *config.Settings, secrets natsSecrets) error {
	faults := []error{bucketFault(s)}
	if err := (node.NATS{URL: s.NATS}).Validate(); err != nil {
		faults = append(faults, at(s, "nats", "%w", err))
	}
	add := func(key string, o nats.Option, err error) {
		if err == nil {
			err = try(o)
		}
		if err != nil {
			faults = append(faults, at(s, key, "%w", err))
			return
		}
		l.options = append(l.options, o)
	}
	for key, path := range map[string]string{
		"nats_creds": s.NATSCreds, "nats_nkey": s.NATSNkey,
		"nats_tls_ca": s.NATSTLSCA, "nats_tls_cert": s.NATSTLSCert, "nats_tls_key": s.NATSTLSKey,
	} {
		if path == "" {
			continue
		}
		if _, err := config.ReadRegular(path, mostCredentials); err != nil {
			faults = append(faults, at(s, key, "%w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err // the client would wait for ever on a FIFO
	}
	if s.NATSUser != "" {
		add("nats_user", nats.UserInfo(s.NATSUser, secrets.password), nil)
	}
	if s.NATSTokenFile != "" {
		add("nats_token_file", nats.Token(secrets.token), nil)
	}
	if s.NATSCreds != "" {
		add("nats_creds", nats.UserCredentials(s.NATSCreds), nil)
	}
	if s.NATSNkey != "" {
		o, err := nats.NkeyOptionFromSeed(s.NATSNkey)
		add("nats_nkey", o, err)
	}
	if s.NATSTLSCA != "" {
		add("nats_tls_ca", nats.RootCAs(s.NATSTLSCA), nil)
	}
	switch cert, key := s.NATSTLSCert, s.NATSTLSKey; {
	case cert != "" && key != "":
		add("nats_tls_cert", nats.ClientCert(cert, key), nil)
	case cert != "" || key != "":
		faults = append(faults, needs(s, "nats_tls_cert", cert, "nats_tls_key", key), needs(s, "nats_tls_key", key, "nats_tls_cert", cert))
	}
	return errors.Join(faults...)
}

// try finds faults of an option without a server. It reads credentials as a connection would.
func try(option nats.Option) error {
	var o nats.Options
	if err := option(&o); err != nil {
		return err
	}
	if o.UserJWT != nil {
		if _, err := o.UserJWT(); err != nil {
			return err
		}
	}
	if o.SignatureCB != nil {
		if _, err := o.SignatureCB([]byte("nonce")); err != nil {
			return err
		}
	}
	return nil
}

// ways are how the daemon connects to NATS: as a node, and to answer programs.
type ways struct{ node, apps node.NATS }

// start starts the embedded server, unless the link is external, and returns the ways to connect.
// The server is nil for an external one.
func (l *link) start(log *slog.Logger) (*embednats.Server, ways, error) {
	if l.url != "" {
		w := ways{node.NATS{URL: l.url, Options: l.options}, node.NATS{URL: l.url, Options: l.options}}
		if l.token != "" && !strings.Contains(l.url, "@") { // such a URL has the credentials already
			w.node.Options = append(slices.Clone(l.options), nats.TokenHandler(func() string { return l.token }))
		}
		return nil, w, nil
	}
	cfg := l.embedded
	cfg.Logger = log
	server, err := embednats.Start(cfg)
	if err != nil {
		return nil, ways{}, usageError{err}
	}
	return server, ways{
		node: node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{server.InProcess()}},
		apps: node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{server.InProcessApp()}},
	}, nil
}

// describe puts the link into words for the log, without credentials.
func (l *link) describe(server *embednats.Server) string {
	switch {
	case server == nil:
		return "external NATS at " + node.NATS{URL: l.url}.String()
	case server.ClusterAddr() == "" && server.ClientURL() == "":
		return "alone: embedded NATS, no connections from outside"
	}
	var parts []string
	if addr := server.ClusterAddr(); addr != "" {
		mesh := "mesh of embedded NATS at " + addr
		if routes := l.embedded.Routes; len(routes) > 0 {
			mesh += ", routes to " + node.NATS{URL: strings.Join(routes, ",")}.String()
		}
		parts = append(parts, mesh)
	}
	if u := server.ClientURL(); u != "" {
		parts = append(parts, "embedded NATS for clients at "+u)
	}
	return strings.Join(parts, "; ")
}

// split splits a list at its commas. It is nil for an empty list.
func split(list string) []string {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
