package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/build"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

// httpListener is one HTTP server and its listener.
type httpListener struct {
	name     string
	listener *gate
	server   *http.Server
	served   chan struct{} // closed once nothing is accepted any more
}

func (d *httpListener) url() string {
	scheme := "http://"
	if d.server != nil && d.server.TLSConfig != nil {
		scheme = "https://"
	}
	return scheme + d.listener.Addr().String()
}

// newHTTPListener is a listener without a server yet.
func newHTTPListener(name string, l *gate) *httpListener {
	return &httpListener{name: name, listener: l, served: make(chan struct{})}
}

// serve returns when the listener was shut, or with what broke it.
func (d *httpListener) serve() error {
	defer close(d.served)
	serve := d.server.Serve
	if d.server.TLSConfig != nil {
		serve = func(l net.Listener) error { return d.server.ServeTLS(l, "", "") } // the configuration has the certificates
	}
	err := serve(d.listener)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", d.url(), err)
}

// firstRequest is how long a connection may take from being accepted to its first request,
// when the listener shuts. Raising it holds up every stop. Lowering it loses requests of clients
// that are far away: their first one is on its way when they are accepted.
const firstRequest = 200 * time.Millisecond

// shut accepts nobody any more, and returns when the requests under way are answered or ctx
// is done. http.Server.Shutdown alone drops a request that it reads after its call, so the
// listener closes first, and clients that got in are served.
func (d *httpListener) shut(ctx context.Context) error {
	d.listener.finish()
	<-d.served
	select {
	case <-ctx.Done():
	case <-time.After(firstRequest):
	}
	return d.server.Shutdown(ctx)
}

// judgeAddress says what is wrong with the form of an address, if one is given.
func judgeAddress(s *config.Settings, key, addr string) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return at(s, key, "%q: must be host:port, such as 127.0.0.1:8080 or :8080", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil { //nolint:noctx // it asks nobody
		return at(s, key, "%q: the port must be a number from 0 to 65535, or a service's name", addr)
	}
	if net.ParseIP(host) == nil && limit.LooksLikeAddress(host) && !strings.Contains(host, "%") {
		return at(s, key, "%q: %s is no address", addr, host)
	}
	return nil
}

// clash reports whether two listeners cannot have these addresses, whose form is right: they
// have one port, and one host, or one of them listens on all hosts.
func clash(a, b string) bool {
	hostA, nameA, _ := net.SplitHostPort(a)
	hostB, nameB, _ := net.SplitHostPort(b)
	portA, _ := net.LookupPort("tcp", nameA) //nolint:noctx // it asks nobody
	portB, _ := net.LookupPort("tcp", nameB) //nolint:noctx // it asks nobody
	if portA != portB || portA == 0 {        // each gets a port of its own for 0
		return false
	}
	all := func(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }
	ipA, ipB := net.ParseIP(hostA), net.ParseIP(hostB)
	return all(hostA) || all(hostB) || strings.EqualFold(hostA, hostB) || ipA != nil && ipA.Equal(ipB)
}

// judgeAddresses judges all addresses that are to be opened, each and together.
func judgeAddresses(s *config.Settings) error {
	type address struct{ key, addr string }
	var faults []error
	var taken []address
	for _, a := range []address{
		{"http", s.HTTP}, {"admin", adminAddress(s.Admin)}, {"metrics", s.Metrics}, {"grpc", tcpOnly(s.GRPC)}, {"nats_listen", s.NATSListen}, {"nats_cluster", s.NATSCluster},
	} {
		if err := judgeAddress(s, a.key, a.addr); err != nil || a.addr == "" {
			faults = append(faults, err)
			continue
		}
		if i := slices.IndexFunc(taken, func(t address) bool { return clash(t.addr, a.addr) }); i >= 0 {
			faults = append(faults, at(s, a.key, "%s cannot listen beside -%s %s: they share a port", a.addr, strings.ReplaceAll(taken[i].key, "_", "-"), taken[i].addr))
		}
		taken = append(taken, a)
	}
	return errors.Join(faults...)
}

// tcpOnly is an address, or nothing for one that is a file.
func tcpOnly(addr string) string {
	if strings.HasPrefix(addr, unixPrefix) {
		return ""
	}
	return addr
}

// listen opens the address of one setting.
func listen(ctx context.Context, s *config.Settings, key, addr string) (*gate, error) {
	if err := judgeAddress(s, key, addr); err != nil {
		return nil, err
	}
	g, err := openGate(ctx, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, at(s, key, "%s is in use by another program: stop it, or choose another address with -%s", addr, key)
	}
	if err != nil {
		return nil, at(s, key, "%w", err)
	}
	return g, nil
}

// httpServer is a server that no client can hold up. A decision takes no time, so
// whoever is slow is slow in sending or reading.
func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ErrorLog: stdlog.New(serverLog{log}, "", 0),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
	}
}

// serverLog is the log of a server. Whoever reaches it can break off a handshake, so those are
// for debugging only.
type serverLog struct{ *slog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.Contains(line, []byte("TLS handshake error")) {
		level = slog.LevelDebug
	}
	l.Log(context.Background(), level, strings.TrimSpace(string(line)))
	return len(line), nil
}

// metrics is everything that is counted.
func (d *daemon) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.New(d.served), d.requests, buildMetric(build.Read()),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if d.reloader != nil { // a demonstration has none
		registry.MustRegister(append(d.reloader.collectors(), d.state.saved)...)
		registry.MustRegister(d.counts.metrics.collectors()...)
	}
	if e := d.plan.envoy; e != nil && d.plan.settings.Envoy.Stats {
		registry.MustRegister(envoyStats{e})
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// onlyMetrics serves nothing but the metrics.
func onlyMetrics(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	return mux
}

// api is the configuration of the API. local says that only this machine can reach it.
func (d *daemon) api(local bool) httpapi.Config {
	return httpapi.Config{
		Node: d.served, Version: build.Read().Version, APIToken: d.plan.apiToken, Hosts: d.plan.hosts(), Loopback: local,
		AdminToken: d.plan.adminToken, AdminTokenName: filepath.Base(d.plan.settings.AdminTokenFile),
		RedactClients: d.plan.settings.RedactClients, TrustedProxies: d.plan.proxies, PartitionKey: d.plan.partition, Logger: d.plan.log,
	}
}

// openBoard starts the recording for the page at /.
func (d *daemon) openBoard() {
	d.board = dashboard.New(dashboard.Config{
		Node: d.served, Version: build.Read().Version, RedactClients: d.plan.settings.RedactClients, Log: d.plan.events,
	})
}

// handler is the API, with the metrics and the dashboard.
func (d *daemon) handler(local bool, metrics http.Handler) http.Handler {
	cfg := d.api(local)
	cfg.Metrics, cfg.Envoy, cfg.Dashboard = metrics, d.plan.envoy.handler(), d.board
	return d.requests.HTTP(d.served.leaving(httpapi.New(cfg)), doorOf)
}

// doorOf is the door by which a request over HTTP comes in.
func doorOf(r *http.Request) node.Door {
	if strings.HasPrefix(r.URL.Path, "/v1/forward/") {
		return node.DoorForward
	}
	return node.DoorHTTP
}

// newRequests counts the requests at the doors that the settings open.
func newRequests(s *config.Settings) *metrics.Requests {
	doors := []node.Door{node.DoorHTTP, node.DoorForward}
	if s.GRPC != "" {
		doors = append(doors, node.DoorGRPC)
	}
	if s.NATSAPI {
		doors = append(doors, node.DoorNATS)
	}
	return metrics.NewRequests(doors...)
}

func buildMetric(b build.Info) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ratelimiter_build_info", Help: "Always 1. The labels say from which version the program was built.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": b.Go},
	})
	g.Set(1)
	return g
}

// adminAddress is an address for pprof: on loopback if it names no host, since profiles tell
// what the process does and holds.
func adminAddress(addr string) string {
	if strings.HasPrefix(addr, ":") {
		return "127.0.0.1" + addr
	}
	return addr
}

// pprofServer serves profiles, which may take minutes to write. On loopback, no page of a
// site gets them.
func pprofServer(local bool, hosts []string, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	var h http.Handler = mux
	if local {
		h = httpapi.Guard(mux, hosts)
	}
	s := httpServer(h, log)
	s.WriteTimeout = 10 * time.Minute
	return s
}
