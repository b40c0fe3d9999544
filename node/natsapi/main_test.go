package natsapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for answers on a machine that does other work.
const patience = 30 * time.Second

// startServer starts a NATS server that only this process reaches.
func startServer(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s
}

func connect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// serve starts a node of a cluster in memory, and its service.
func serve(t testing.TB, s *server.Server, name, token string, network node.Transport) *node.Node {
	t.Helper()
	n, err := node.Open(context.Background(), node.Config{
		Name: name, Transport: network,
		Limits: map[string]node.Policy{"default": {Limit: 3, Window: time.Minute}, "day": {Limit: 100, Window: 24 * time.Hour}},
		Now:    func() time.Time { return doortest.Noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	own := connect(t, s)
	door, err := natsapi.Serve(natsapi.Config{Conn: own, API: httpapi.Config{Node: n, AdminToken: token, Version: "v1.2.3"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := own.FlushTimeout(patience); err != nil { // and the server knows who answers
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := door.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// request asks, and decodes the answer.
func request(t testing.TB, conn *nats.Conn, subject, body string, into any, headers ...string) *nats.Msg {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	answer, err := conn.RequestMsg(m, patience)
	if err != nil {
		t.Fatalf("%s %s: %v", subject, body, err)
	}
	doortest.Fields(t, http.Header(answer.Header))
	if into != nil {
		if err := json.Unmarshal(answer.Data, into); err != nil {
			t.Fatalf("%s %s: %v in %s", subject, body, err, answer.Data)
		}
	}
	return answer
}
