package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// plan is the outcome of the settings, with all files read. It holds everything that newPlan can
// judge before anything opens a port.
type plan struct {
	settings   *config.Settings
	node       node.Config // without NATS
	link       *link
	envoy      *envoy // nil without Envoy's service
	adminToken string
	nodeKeys   *nodeKeys      // nil without a list
	proxies    []netip.Prefix // that are trusted
	apiToken   string
	partition  []byte       // the secret of partition keys, nil for none
	tls        *certs.Store // nil for plain HTTP
	log        *slog.Logger
	events     *dashboard.Log // what log gets, for the dashboard
}

func newPlan(s *config.Settings, log *slog.Logger) (*plan, error) {
	p := &plan{settings: s, events: dashboard.NewLog()}
	log = slog.New(p.events.Handler(log.Handler()))
	p.log = log
	var faults []error
	var err error
	read := func(key, path string) []byte {
		secret, err := p.secretOf(key, path)
		faults = append(faults, err)
		return secret
	}
	key := read("cluster_key_file", s.ClusterKeyFile)
	p.adminToken = string(read("admin_token_file", s.AdminTokenFile))
	p.apiToken = string(read("api_token_file", s.APITokenFile))
	p.partition = read("partition_key_file", s.PartitionKeyFile)
	p.tls, err = tlsFiles{certs.Files{Cert: s.TLSCert, Key: s.TLSKey, ClientCA: s.TLSClientCA}, "tls_cert", "tls_key", "tls_client_ca"}.open(s, log)
	faults = append(faults, err)
	p.warnOfReaders()
	limits, err := s.Policies()
	faults = append(faults, err)
	if err == nil { // what is refused needs no warning as well
		p.warnOfDoubts(limits)
	}
	p.node = node.Config{
		Name: s.Name, Cluster: s.Cluster, ClusterKey: key, Limits: limits,
		SubjectPrefix: s.SubjectPrefix, MaxClients: int(s.MaxClients), Nodes: int(s.Nodes), Logger: log,
		Roster: strings.FieldsFunc(s.Roster, func(r rune) bool { return r == ',' || r == ' ' }),
	}
	faults = append(faults, judgeAddresses(s), natsAPIFault(s), p.readNodeKeys(read("node_key_file", s.NodeKeyFile)))
	if p.proxies, err = s.Proxies(); err != nil {
		faults = append(faults, at(s, "trusted_proxies", "%w", err))
	}
	if s.MaxClients < 1 {
		faults = append(faults, at(s, "max_clients", "%d: must be at least 1", s.MaxClients))
	}
	if d := time.Duration(s.SnapshotInterval); d > 0 && d < time.Second {
		faults = append(faults, at(s, "snapshot_interval", "%v: must be at least 1s, or 0 for never", d))
	}
	switch s.OnFull {
	case "share":
	case "open":
		p.node.OnFull = node.FullOpen
	default:
		faults = append(faults, at(s, "on_full", "%q: must be share or open", s.OnFull))
	}
	password := read("nats_password_file", s.NATSPasswordFile)
	token := read("nats_token_file", s.NATSTokenFile)
	p.link, err = newLink(s, natsSecrets{string(password), string(token)}, key, log)
	p.node.Alone = !p.link.peers && s.Nodes <= 1
	faults = append(faults, p.bounded(limits), err)
	p.envoy, err = newEnvoy(p)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// hosts are the names by which a loopback address may be called.
func (p *plan) hosts() []string {
	return strings.FieldsFunc(p.settings.HTTPHosts, func(r rune) bool { return r == ',' || r == ' ' })
}

// warnOfDoubts tells of selectors that can hardly mean what they say.
func (p *plan) warnOfDoubts(limits map[string]node.Policy) {
	for _, doubt := range p.settings.Doubts(limits) {
		p.log.Warn("a limit has a selector that can hardly mean what it says", "selector", doubt)
	}
}

// check lets a node judge its configuration: it opens one without a network, and closes it.
func (p *plan) check(ctx context.Context) error {
	cfg := p.node
	cfg.Logger = nil
	n, err := node.Open(context.WithoutCancel(ctx), cfg) // it takes no time
	if err != nil {
		return usageError{p.located(err)}
	}
	return n.Close()
}

// located puts the place of the setting before each faulty field. It returns an error without
// faulty fields as it is.
func (p *plan) located(err error) error {
	var all []error
	for _, f := range limit.FieldErrors(err) {
		if origin := p.settings.Origin(f.Field); origin != "" {
			all = append(all, fmt.Errorf("%s: %w", origin, f))
		} else {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return err
	}
	return errors.Join(all...)
}

// judgeSaved returns the faults of saved limits, nil if a node can use them.
func (p *plan) judgeSaved(text []byte) error {
	cfg := p.node
	cfg.Logger, cfg.SavedLimits = nil, text
	n, err := node.Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	return n.Close()
}

// summary lists the limits.
func (p *plan) summary() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.node.Limits)) {
		all = append(all, name+" "+p.node.Limits[name].String())
	}
	return strings.Join(all, "; ")
}

// open starts the node.
func (p *plan) open(ctx context.Context, via node.NATS) (*node.Node, error) {
	cfg := p.node
	cfg.NATS = via
	setClock(&cfg)
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return n, nil
}
