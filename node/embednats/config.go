package embednats

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config configures a server. The zero value is a server alone, which only its own process
// reaches.
type Config struct {
	// Name begins the server's name in logs. It need not be unique. Default "embedded".
	Name string

	// ClientListen is a host:port for NATS clients outside the process. "" opens no port.
	// Port 0 takes a free one, see Server.ClientURL.
	ClientListen string
	// Clients at ClientListen must present User and Password. Without a user, everybody who
	// reaches the port may subscribe and publish.
	User, Password string
	// ClientTLS encrypts ClientListen, and says which certificates its clients need. Nil is no
	// TLS.
	ClientTLS *tls.Config
	// NodeSecret lets clients at ClientListen show by NodeToken that they are nodes. They are in
	// one account with the process and the mesh, within NodePermissions. All other clients are in
	// an account of their own, and neither hear nor reach nodes. Without a secret, all are such.
	NodeSecret []byte
	// NodePermissions lists the subjects that the node of a name may publish on and subscribe to.
	// It is called at each connection, concurrently.
	NodePermissions func(node string) (publish, subscribe []string)

	// ClusterListen is a host:port for the other servers of a mesh. "" means a server alone.
	// Port 0 takes a free one, see Server.ClusterAddr.
	ClusterListen string
	// ClusterAdvertise is the host:port that other servers dial. Set it behind a port
	// mapping or a proxy. Default: the address from which they see this server's
	// connections come, with the port of ClusterListen.
	ClusterAdvertise string
	// ClusterName must be equal on all servers of the mesh. Default "ratelimit".
	ClusterName string
	// Routes are cluster addresses of other servers, as host:port or as URL
	// nats://host:port. The server tries them once a second, for ever.
	Routes []string
	// RoutePassword must be equal on all servers of the mesh. Without one, every server
	// that reaches ClusterListen may join.
	RoutePassword string
	// ClusterTLS encrypts the routes of the mesh, both those that are accepted and those that are
	// dialled. Its callbacks and authorities should make both ends present a certificate. Nil is
	// no TLS, which other servers then must not have either.
	ClusterTLS *tls.Config

	// Logger gets the server's warnings and, at debug level, its notices. Default: no log.
	Logger *slog.Logger
}

const (
	defaultName    = "embedded"
	defaultCluster = "ratelimit"

	processUser    = "process"     // this process, as a node
	processAppUser = "process-app" // this process, as a program that answers others
	routeUser      = "route"

	// handshake is how long a TLS handshake may take. Lower drops peers on a slow network; higher
	// lets connections that say nothing stay.
	handshake = 2 * time.Second

	// implicitRetries is how many seconds a server redials an address that it learned from
	// another server. If it is too low, a lost route stays lost. That is a partial
	// partition which nothing shows: a third server connects the two, but messages travel
	// one hop only. If it is too high, addresses of servers that are gone for good pile up.
	implicitRetries = 24 * 60 * 60

	// reportEvery is the number of failed dials, one a second, for each line in the log.
	// Lower fills the log while a server is away; higher hides how long it has been.
	reportEvery = 60

	// A server gives up a hanging route after routePing * (maxPings + 1), at about the time
	// when the nodes' own beats notice the silence. Lower drops routes on a short stall;
	// higher delays the redial.
	routePing = 2 * time.Second
	maxPings  = 2

	// writeDeadline is how long a write may block until the server drops the client as
	// stuck. Lower drops clients that only pause; higher keeps their backlog in memory.
	writeDeadline = 5 * time.Second
)

// fieldError names the field at fault.
func fieldError(field string, value any, reason string) error {
	return fmt.Errorf("%s: %v: %s", field, value, reason)
}

// Validate reports every fault that Start would find without opening a port.
func (c Config) Validate() error {
	_, err := c.options()
	return err
}

// options translates the configuration. The error joins all faults.
func (c Config) options() (*server.Options, error) {
	name, cluster := c.Name, c.ClusterName
	if name == "" {
		name = defaultName
	}
	if cluster == "" {
		cluster = defaultCluster
	}
	o := &server.Options{
		// Two servers of one name refuse each other, and a restarted server may meet its own
		// dead connection. So every start has a name of its own.
		ServerName: name + "-" + rand.Text()[:8],
		NoSigs:     true, NoLog: true, NoSystemAccount: true,
		DontListen:            true,
		PingInterval:          routePing,
		MaxPingsOut:           maxPings,
		WriteDeadline:         writeDeadline,
		NoFastProducerStall:   true, // drop, rather than stall the node: the state repairs itself
		ConnectErrorReports:   reportEvery,
		ReconnectErrorReports: reportEvery,
		Accounts:              []*server.Account{server.NewAccount(nodesAccount), server.NewAccount(appsAccount)},
	}
	return o, errors.Join(c.clientOptions(o), c.clusterOptions(o, cluster))
}

func (c Config) clientOptions(o *server.Options) error {
	var faults []error
	if (c.User == "") != (c.Password == "") {
		faults = append(faults, fieldError("user", strconv.Quote(c.User), "give a user and a password, or neither"))
	}
	if c.ClientListen == "" {
		if c.User != "" {
			faults = append(faults, fieldError("user", strconv.Quote(c.User), "is of no use without a client address to listen on"))
		}
		return errors.Join(faults...)
	}
	host, port, err := listenAddress("client_listen", c.ClientListen)
	o.DontListen, o.Host, o.Port = false, host, port
	if o.TLSConfig = c.ClientTLS; c.ClientTLS != nil {
		o.TLSTimeout = handshake.Seconds()
	}
	if len(c.NodeSecret) > 0 && c.NodePermissions == nil {
		faults = append(faults, errNoPermissions)
	}
	return errors.Join(append(faults, err)...)
}

func (c Config) clusterOptions(o *server.Options, cluster string) error {
	if c.ClusterListen == "" {
		var faults []error
		if len(c.Routes) > 0 {
			faults = append(faults, fieldError("routes", len(c.Routes), "need a cluster address to listen on: the mesh connects both ways"))
		}
		if c.ClusterAdvertise != "" {
			faults = append(faults, fieldError("cluster_advertise", strconv.Quote(c.ClusterAdvertise), "is of no use without a cluster address to listen on"))
		}
		return errors.Join(faults...)
	}
	if o.DontListen {
		// The server starts its routes only after it has opened a client listener, so a mesh
		// needs one. No user may connect to it.
		o.DontListen, o.Host, o.Port = false, "127.0.0.1", server.RANDOM_PORT
	}
	host, port, err := listenAddress("cluster_listen", c.ClusterListen)
	o.Cluster = server.ClusterOpts{
		Name: cluster, Host: host, Port: port,
		Advertise:      c.ClusterAdvertise,
		NoAdvertise:    true, // clients of other servers have no use for this one
		ConnectRetries: implicitRetries,
		PoolSize:       1, // nearly all traffic is of one account, which uses one connection
		PingInterval:   routePing, MaxPingsOut: maxPings,
		Compression: server.CompressionOpts{Mode: server.CompressionOff}, // hashes do not compress
	}
	if o.Cluster.TLSConfig = c.ClusterTLS; c.ClusterTLS != nil {
		o.Cluster.TLSTimeout = handshake.Seconds()
	}
	if c.RoutePassword != "" {
		o.Cluster.Username, o.Cluster.Password = routeUser, c.RoutePassword
	}
	faults := []error{err}
	if c.ClusterAdvertise != "" {
		if _, port, err := listenAddress("cluster_advertise", c.ClusterAdvertise); err != nil || port < 1 {
			faults = append(faults, fieldError("cluster_advertise", strconv.Quote(c.ClusterAdvertise), "must be host:port"))
		}
	}
	for _, r := range c.Routes {
		u, err := routeURL(r)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if c.RoutePassword != "" && u.User == nil {
			u.User = url.UserPassword(routeUser, c.RoutePassword)
		}
		o.Routes = append(o.Routes, u)
	}
	return errors.Join(faults...)
}

// listenAddress splits host:port. Port 0 becomes the server's value for any free port.
func listenAddress(field, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fieldError(field, strconv.Quote(address), "must be host:port")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fieldError(field, strconv.Quote(address), "the port must be a number from 0 to 65535")
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// routeURL parses one route. The library's own parser returns nil for a faulty one.
func routeURL(route string) (*url.URL, error) {
	text := strings.TrimSpace(route)
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The parser's error repeats the URL, which may hold a password, so it is not shown.
		return nil, fieldError("routes", strconv.Quote(text[strings.LastIndex(text, "@")+1:]), "must be host:port or nats://host:port")
	case u.Scheme != "nats" && u.Scheme != "nats-route":
		return nil, fieldError("routes", u.Redacted(), "the scheme must be nats")
	case u.Hostname() == "" || u.Port() == "" || strings.Contains(u.Hostname(), ":") && u.Host[0] != '[':
		return nil, fieldError("routes", u.Redacted(), "must name a host and a port")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fieldError("routes", u.Redacted(), "must be a host and a port, with nothing after them")
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return nil, fieldError("routes", u.Redacted(), "the port must be from 1 to 65535")
	}
	return u, nil
}
