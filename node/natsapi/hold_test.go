package natsapi_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

func TestRequestsWaitForLoans(t *testing.T) {
	doortest.Held(t, "alice", func(n *node.Node) func() bool {
		_, conn := door(t, n)
		return func() bool {
			var d struct{ Allowed bool }
			request(t, conn, "ratelimit.api.default.check", `{"client":"alice"}`, &d)
			return d.Allowed
		}
	})
}

// door serves a node, and connects to it.
func door(t *testing.T, n httpapi.Node) (*natsapi.Service, *nats.Conn) {
	t.Helper()
	s := startServer(t)
	own := connect(t, s)
	service, err := natsapi.Serve(natsapi.Config{Conn: own, API: httpapi.Config{Node: n}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := own.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return service, connect(t, s)
}

// waiting lets the client "slow" wait until somebody ends that.
type waiting struct {
	httpapi.Node

	begun, end chan struct{}
}

func (w *waiting) DoDetailed(q node.Request) node.Detail {
	if q.Client == "slow" {
		ended := q.Hold.Done()
		close(w.begun)
		select {
		case <-w.end:
		case <-ended:
		}
	}
	return w.Node.DoDetailed(q)
}

func TestARequestThatWaitsHoldsUpNoOther(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limit: 5, Window: 60e9})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	w := &waiting{n, make(chan struct{}), make(chan struct{})}
	_, conn := door(t, w)
	answers := make(chan *nats.Msg, 1)
	inbox := conn.NewRespInbox()
	if _, err := conn.Subscribe(inbox, func(m *nats.Msg) { answers <- m }); err != nil {
		t.Fatal(err)
	}
	if err := conn.PublishRequest("ratelimit.api.default.check", inbox, []byte(`{"client":"slow"}`)); err != nil {
		t.Fatal(err)
	}
	<-w.begun
	var d struct{ Allowed bool }
	if request(t, conn, "ratelimit.api.default.check", `{"client":"quick"}`, &d); !d.Allowed {
		t.Error("another client is denied")
	}
	close(w.end)
	if m := <-answers; string(m.Header.Get("Ratelimit")) == "" || len(m.Data) == 0 {
		t.Errorf("the answer is %s with %v", m.Data, m.Header)
	}
}
