package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// NATS is the service that nodes offer over NATS as a Target (package natsapi). Whichever node is
// nearest answers. Safe for concurrent use.
type NATS struct {
	conn    *nats.Conn
	subject string
	limit   string
	token   string
	timeout time.Duration
}

// NewNATS makes a target of the cluster on a connection, which stays the caller's. prefix begins the
// cluster's subjects.
func NewNATS(conn *nats.Conn, prefix, cluster, limit, token string, timeout time.Duration) *NATS {
	return &NATS{conn, prefix + ".api." + cluster + ".", limit, token, timeout}
}

// Take implements Target.
func (n *NATS) Take(ctx context.Context, client string, cost int64) (bool, error) {
	answer, err := n.Ask(ctx, "check", takeBody(client, n.limit, cost))
	if err != nil {
		return false, err
	}
	allowed, ok := decision(answer)
	if !ok {
		return false, fmt.Errorf("not a decision: %.200s", answer)
	}
	return allowed, nil
}

// Ask sends one request to an endpoint, such as limits.get.
func (n *NATS) Ask(ctx context.Context, endpoint string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	m := &nats.Msg{Subject: n.subject + endpoint, Data: body, Header: nats.Header{}}
	if n.token != "" {
		m.Header.Set("Authorization", "Bearer "+n.token)
	}
	got, err := n.conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Subject, err)
	}
	if code := got.Header.Get("Nats-Service-Error-Code"); code != "" {
		var problem struct{ Detail string }
		_ = json.Unmarshal(got.Data, &problem) // without one, the header says what is wrong
		return nil, fmt.Errorf("%s: %.200s", code, cmp.Or(problem.Detail, got.Header.Get("Nats-Service-Error")))
	}
	return got.Data, nil
}
