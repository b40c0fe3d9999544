package natsapi_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

func Example() {
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true}) // in place of yours
	if err != nil {
		panic(err)
	}
	srv.Start()
	defer srv.Shutdown()
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		panic(err)
	}
	defer conn.Close()

	n, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{"login": {Limit: 5, Window: time.Minute}}})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	door, err := natsapi.Serve(natsapi.Config{Conn: conn, API: httpapi.Config{Node: n}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = door.Stop() }()

	// Any program with a NATS client can ask.
	answer, err := conn.Request("ratelimit.api.default.check", []byte(`{"client":"alice","limit":"login","cost":5}`), 10*time.Second)
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.Header.Get("Ratelimit-Policy"))
	// Output: "login";q=5;w=60
}
