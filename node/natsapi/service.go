package natsapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// Name is the name of the service.
const Name = "ratelimiter"

// Config configures a service. The zero value of a field other than Conn and API.Node is its
// default.
type Config struct {
	// Conn is the caller's, and stays open. Give it MaxReconnects(-1): the service answers
	// again whenever the server is back.
	Conn *nats.Conn
	// API is the interface that is served. Loopback and Metrics are not used.
	API httpapi.Config
	// Answered is told the status of each answer, as HTTP numbers them. Default: nobody is.
	Answered func(status int)
	// Prefix begins all subjects. Default "ratelimit".
	Prefix string
}

// Service answers requests until it is stopped. Safe for concurrent use.
type Service struct{ micro micro.Service }

// Serve starts to answer. The error joins every fault of cfg, each a *node.FieldError, or is
// that of the connection.
func Serve(cfg Config) (*Service, error) {
	cfg.Prefix = cmp.Or(cfg.Prefix, "ratelimit")
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.API.Loopback, cfg.API.Metrics, cfg.API.Node = false, nil, entered{cfg.API.Node}
	if cfg.Answered == nil {
		cfg.Answered = func(int) {}
	}
	s := cfg.API.Node.Stats()
	service, err := micro.AddService(cfg.Conn, micro.Config{
		Name: Name, Version: semantic(cfg.API.Version), Description: "Decisions of a distributed rate limiter",
		Metadata:     map[string]string{"node": s.Name, "cluster": s.Cluster, "version": cmp.Or(cfg.API.Version, "unknown")},
		StatsHandler: func(*micro.Endpoint) any { return statsOf(cfg.API.Node.Stats()) },
	})
	if err != nil {
		return nil, fmt.Errorf("natsapi: %w", err)
	}
	door := &door{conn: cfg.Conn, handler: httpapi.New(cfg.API), answered: cfg.Answered}
	group := service.AddGroup(cfg.Prefix + ".api." + s.Cluster)
	for _, e := range endpoints {
		options := []micro.EndpointOpt{micro.WithEndpointSubject(e.subject)}
		if e.each {
			options = append(options, micro.WithEndpointQueueGroupDisabled())
		}
		name := strings.ReplaceAll(e.subject, ".", "-") // a name has no dots
		if err := group.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) { door.answer(r, e.ask) }), options...); err != nil {
			return nil, errors.Join(fmt.Errorf("natsapi: %s: %w", e.subject, err), service.Stop())
		}
	}
	return &Service{service}, nil
}

// Stop stops answering. It returns at once; requests that were received are still answered.
func (s *Service) Stop() error { return s.micro.Stop() }

func (cfg *Config) validate() error {
	var faults []error
	if cfg.Conn == nil {
		faults = append(faults, &node.FieldError{Field: "Conn", Value: "is missing", Reason: "must be a connection to NATS"})
	}
	if cfg.API.Node == nil {
		faults = append(faults, &node.FieldError{Field: "API.Node", Value: "is missing", Reason: "must be what decides, such as a *node.Node"})
	}
	if !subjectPrefix.MatchString(cfg.Prefix) {
		faults = append(faults, &node.FieldError{Field: "Prefix", Value: cfg.Prefix, Reason: "must be words of A-Z, a-z, 0-9, _ and -, with dots between them"})
	}
	return errors.Join(faults...)
}

var subjectPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// semantic is the version as services must have it, and 0.0.0 for one in another form: that
// stands in the metadata.
func semantic(version string) string {
	if version = strings.TrimPrefix(version, "v"); semVer.MatchString(version) {
		return version
	}
	return "0.0.0"
}

var semVer = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// stats are what `nats service stats` shows of a node.
type stats struct {
	Node          string `json:"node"`
	Ready         bool   `json:"ready"`
	Degraded      bool   `json:"degraded"`
	Peers         int    `json:"peers"` // that are alive
	Clients       int    `json:"clients"`
	Allowed       uint64 `json:"allowed"` // decisions
	Denied        uint64 `json:"denied"`
	LimitsVersion uint64 `json:"limits_version"`
}

func statsOf(s node.Stats) stats {
	out := stats{Node: s.Name, Ready: s.Sync.Ready, Degraded: s.Degraded, Clients: s.Clients, LimitsVersion: s.LimitsVersion}
	for _, p := range s.Sync.Peers {
		if p.State == node.PeerAlive {
			out.Peers++
		}
	}
	for i := range s.Limits {
		out.Allowed += s.Limits[i].Allowed
		out.Denied += s.Limits[i].Denied
	}
	return out
}

// door hands requests to the HTTP interface.
type door struct {
	conn     *nats.Conn
	handler  http.Handler
	answered func(status int)
}

// entered is a node that is asked over NATS.
type entered struct{ httpapi.Node }

// DoDetailed implements httpapi.Decider.
func (n entered) DoDetailed(r node.Request) node.Detail {
	r.Door = node.DoorNATS
	return n.Node.DoDetailed(r)
}

// Reserve implements httpapi.Reserver.
func (n entered) Reserve(r node.Request) *node.Reservation {
	r.Door = node.DoorNATS
	return n.Node.Reserve(r)
}
