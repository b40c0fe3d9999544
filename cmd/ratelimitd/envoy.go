package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/xds"
)

// envoy is Envoy's rate limit service, and where its rules come from. It is nil without -grpc.
type envoy struct {
	plan    *plan
	service *envoyrls.Service
	files   []config.File // of -envoy-config, as they were read last
	rules   *envoyrls.Rules
	headers envoyrls.Headers
	pairs   struct{ metadata, headers map[string]string }

	loads, faults atomic.Uint64 // of rules
	cancel        context.CancelFunc
}

// newEnvoy judges all settings of the service, and reads its rules.
func newEnvoy(p *plan) (*envoy, error) {
	s := p.settings
	e := &envoy{plan: p}
	if s.GRPC == "" {
		return nil, e.without()
	}
	var faults []error
	refuse := func(key, format string, args ...any) { faults = append(faults, at(s, key, format, args...)) }
	switch {
	case s.Envoy.Config == "" && s.XDS.Server == "":
		refuse("grpc", "has no rules: give -envoy-config or -xds-server")
	case s.Envoy.Config != "" && s.XDS.Server != "":
		refuse("xds_server", "and -envoy-config are two sources of rules: give one of them")
	}
	if (s.GRPCTLSCert == "") != (s.GRPCTLSKey == "") {
		refuse("grpc_tls_cert", "and -grpc-tls-key go together: give both or none")
	}
	if s.GRPCTLSCert == "" && s.GRPCTLSClientCA != "" {
		refuse("grpc_tls_client_ca", "needs -grpc-tls-cert: without TLS there are no client certificates")
	}
	if s.GRPCTLSClientCA == "" && s.GRPCTLSClientName != "" {
		refuse("grpc_tls_client_name", "needs -grpc-tls-client-ca, which vouches for the name")
	}
	if (s.XDS.TLSCert == "") != (s.XDS.TLSKey == "") {
		refuse("xds_tls_cert", "and -xds-tls-key go together: give both or none")
	}
	if _, err := p.grpcCredentials(); err != nil {
		refuse("grpc_tls_cert", "%w", err)
	}
	if _, err := e.credentials(); err != nil {
		refuse("xds_tls_ca", "%w", err)
	}
	var err error
	if e.pairs.metadata, err = config.Pairs(s.XDS.NodeMetadata); err != nil {
		refuse("xds_node_metadata", "%w", err)
	}
	if e.pairs.headers, err = config.Pairs(s.XDS.Headers); err != nil {
		refuse("xds_headers", "%w", err)
	}
	if e.headers, err = headersOf(&s.Envoy); err != nil {
		faults = append(faults, err)
	}
	if s.Envoy.Config != "" {
		if e.files, err = config.ReadDir(s.Envoy.Config); err == nil {
			e.rules, err = e.read(e.files)
		}
		if err != nil {
			refuse("envoy_config", "%w", err)
		}
	}
	return e, errors.Join(faults...)
}

// without refuses settings of a service that is not there.
func (e *envoy) without() error {
	s := e.plan.settings
	var faults []error
	for _, set := range s.All() {
		ours := strings.HasPrefix(set.Key, "grpc_") || strings.HasPrefix(set.Key, "envoy_") || strings.HasPrefix(set.Key, "xds_")
		if ours && s.Origin(set.Key) != "" {
			faults = append(faults, at(s, set.Key, "needs -grpc: without an address there is no such service"))
		}
	}
	return errors.Join(faults...)
}

func headersOf(s *config.Envoy) (h envoyrls.Headers, err error) {
	switch s.Headers {
	case config.HeadersIETF:
	case config.HeadersNone:
		h.Off = true
	default:
		return h, usagef("setting envoy_headers: %q: must be %s or %s", s.Headers, config.HeadersIETF, config.HeadersNone)
	}
	if s.LegacyHeaders == "" {
		return h, nil
	}
	names := strings.Split(s.LegacyHeaders, ",")
	if len(names) != 3 {
		return h, usagef("setting envoy_legacy_headers: %q: must be three names, separated by commas", s.LegacyHeaders)
	}
	for _, name := range names {
		if !fieldName.MatchString(name) {
			return h, usagef("setting envoy_legacy_headers: %q: %q is no name of a field: it must be letters, digits, - and _", s.LegacyHeaders, name)
		}
	}
	h.Limit, h.Remaining, h.Reset = names[0], names[1], names[2]
	return h, nil
}

// fieldName is the form of names of HTTP fields that all gateways take.
var fieldName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// read reads rules from files.
func (e *envoy) read(files []config.File) (*envoyrls.Rules, error) {
	all := make([]envoyrls.File, len(files))
	for i, f := range files {
		all[i] = envoyrls.File{Name: f.Path, Text: f.Text}
	}
	return envoyrls.Read(all, e.options())
}

func (e *envoy) options() envoyrls.Options {
	return envoyrls.Options{MergeDomains: e.plan.settings.Envoy.MergeDomains}
}

// start makes the service on a node. It does not serve yet, see serving.
func (e *envoy) start(n envoyrls.Node) {
	if e == nil {
		return
	}
	s := &e.plan.settings.Envoy
	if e.service != nil { // of the daemon before: its rules are newer
		e.rules = e.service.Rules()
	}
	e.headers.PartitionKey = e.plan.partition
	e.service = envoyrls.New(envoyrls.Config{
		Node: n, Rules: e.rules, Headers: e.headers, Metadata: s.Metadata, Shadow: s.Shadow, Quota: s.Quota, Stats: s.Stats,
		Logger: e.plan.log,
	})
	e.service.SetServing(false)
	if e.rules != nil {
		e.loads.Add(1)
	}
}

// handler makes the service over HTTP. It is nil without a service.
func (e *envoy) handler() func(refuse func(*http.Request) string) http.Handler {
	if e == nil {
		return nil
	}
	return e.service.Handler
}

// serving says whether the service is ready, given that the node is.
func (e *envoy) serving(ready bool) {
	if e == nil {
		return
	}
	ready = ready && (e.service.Rules() != nil || e.plan.settings.XDS.Optional)
	e.service.SetServing(ready)
}

// follow keeps the rules as their source has them, until stop.
func (e *envoy) follow() {
	if e == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	s := e.plan.settings
	if s.XDS.Server != "" {
		go xds.Follow(ctx, xds.Config{
			Dial: e.dial, NodeID: s.XDS.NodeID, Metadata: e.pairs.metadata, Headers: e.pairs.headers,
			Options: e.options(), Logger: e.plan.log,
			Take: func(r *envoyrls.Rules) { e.loads.Add(1); e.service.SetRules(r) }, Refused: func() { e.faults.Add(1) },
		})
		return
	}
	go config.WatchDir(ctx, s.Envoy.Config, e.files, 0, e.reload)
}

// reload takes over files that changed. Faulty ones change nothing.
func (e *envoy) reload(files []config.File, err error) {
	var rules *envoyrls.Rules
	if err == nil {
		rules, err = e.read(files)
	}
	if err != nil {
		e.faults.Add(1)
		e.plan.log.Error("Envoy's rules not reloaded: the last good ones go on", "dir", e.plan.settings.Envoy.Config, "error", oneLine(err))
		return
	}
	e.loads.Add(1)
	e.service.SetRules(rules)
	e.plan.log.Info("Envoy's rules reloaded", "dir", e.plan.settings.Envoy.Config, "domains", rules.Domains(), "rules", rules.Len())
}

// stop makes clients ask others, and follows nobody any more.
func (e *envoy) stop() {
	if e == nil {
		return
	}
	e.service.SetServing(false)
	e.cancel()
}

// grpcCredentials are those of the service.
func (p *plan) grpcCredentials() (credentials.TransportCredentials, error) {
	s := p.settings
	if s.GRPCTLSCert == "" {
		return insecure.NewCredentials(), nil
	}
	store, err := certs.Open(certs.Files{Cert: s.GRPCTLSCert, Key: s.GRPCTLSKey, ClientCA: s.GRPCTLSClientCA}, p.log)
	if err != nil {
		return nil, err
	}
	c := store.Config("h2")
	if name := s.GRPCTLSClientName; name != "" {
		current := c.GetConfigForClient
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			named, err := current(hello)
			if err == nil {
				named.VerifyConnection = func(state tls.ConnectionState) error { return state.PeerCertificates[0].VerifyHostname(name) }
			}
			return named, err
		}
	}
	return credentials.NewTLS(c), nil
}

// credentials are those for the control plane, as their files are now.
func (e *envoy) credentials() (credentials.TransportCredentials, error) {
	s := &e.plan.settings.XDS
	if !s.TLS && s.TLSCA == "" && s.TLSCert == "" {
		return insecure.NewCredentials(), nil
	}
	c, err := certs.Client{Cert: s.TLSCert, Key: s.TLSKey, CA: s.TLSCA, Name: s.TLSName}.Config()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(c), nil
}

const (
	// mostRules is the largest message of a control plane, in bytes. Raising it lets a broken one take
	// more memory; lowering it refuses large sets of rules.
	mostRules = 64 << 20
	// aliveEvery is how often the client asks whether a silent control plane is still there, and
	// aliveWithin how long it waits for the answer: one that is gone without a word would else be
	// followed for ever. Servers of grpc-go close connections that ask more often than every 5
	// minutes. Raising either finds a lost control plane later.
	aliveEvery, aliveWithin = 5 * time.Minute, 20 * time.Second
)

func (e *envoy) dial() (*grpc.ClientConn, error) {
	how, err := e.credentials()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(e.plan.settings.XDS.Server, grpc.WithTransportCredentials(how), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostRules)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: aliveEvery, Timeout: aliveWithin}))
}
