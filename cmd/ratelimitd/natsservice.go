package main

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

// natsAPIFault is what is wrong with the setting of the NATS service.
func natsAPIFault(s *config.Settings) error {
	if s.NATSAPI && s.NATS == "" && s.NATSListen == "" {
		return at(s, "nats_api", "is of no use without -nats or -nats-listen: nobody could ask")
	}
	return nil
}

// natsService answers programs over NATS. It has a connection of its own: the node's is closed to
// others, and drops rather than repeats.
type natsService struct {
	conn    *nats.Conn
	service *natsapi.Service
}

// openNATSService starts to answer, now or when the server is there. The service is nil without the
// setting.
func (p *plan) openNATSService(via node.NATS, api httpapi.Config, requests *metrics.Requests) (*natsService, error) {
	if !p.settings.NATSAPI {
		return nil, nil
	}
	conn, err := nats.Connect(via.URL, append(p.patient("ratelimitd service", "NATS, answering"), via.Options...)...)
	if err != nil {
		return nil, at(p.settings, "nats_api", "%w", err)
	}
	answered := func(status int) { requests.Count(node.DoorNATS, strconv.Itoa(status)) }
	service, err := natsapi.Serve(natsapi.Config{Conn: conn, API: api, Prefix: p.settings.SubjectPrefix, Answered: answered})
	if err != nil {
		conn.Close()
		return nil, at(p.settings, "nats_api", "%w", err)
	}
	return &natsService{conn, service}, nil
}

// leave takes no more requests: the server gives them to other nodes. Those that were
// received are answered.
func (d *natsService) leave() {
	if d != nil {
		_ = d.service.Stop() // an error means that the connection is gone
	}
}

// close sends what was answered.
func (d *natsService) close() {
	if d == nil {
		return
	}
	_ = d.conn.FlushTimeout(natsFlush) // an error means that the server is gone
	d.conn.Close()
}

// natsFlush is how long the last answers may take to the server. Raising it holds up a stop
// while NATS is away; lowering it loses answers where NATS is slow.
const natsFlush = time.Second
