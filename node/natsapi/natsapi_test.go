package natsapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

type decision struct {
	Allowed   bool
	Limit     string
	Remaining int64
	Charged   int64
	Limits    []decision
}

func TestDecisionsOverNATS(t *testing.T) {
	s := startServer(t)
	n := serve(t, s, "n1", "", nil)
	conn := connect(t, s)
	for i, c := range []struct {
		subject, body string
		want          decision
		fields, retry string
	}{
		{"check", `{"client":"a"}`, decision{Allowed: true, Remaining: 2}, `"default";r=2;t=20`, ""},
		{"check", `{"client":"a","cost":2,"also":[{"limit":"day"}]}`, decision{Allowed: true, Remaining: 0, Limits: make([]decision, 2)}, `"default";r=0;t=20, "day";r=98;t=1728`, ""},
		{"check", `{"client":"a"}`, decision{Remaining: 0}, `"default";r=0;t=20`, "20"},
		{"peek", `{"client":"a","cost":2}`, decision{Remaining: 0}, `"default";r=0;t=40`, ""},
		{"charge", `{"client":"a","cost":2}`, decision{Charged: 2}, `"default";r=0;t=60`, ""},
		{"peek", `{"client":"a","limit":"day"}`, decision{Allowed: true, Limit: "day", Remaining: 98}, `"day";r=98;t=1728`, ""},
	} {
		var got decision
		m := request(t, conn, "ratelimit.api.default."+c.subject, c.body, &got)
		if c.want.Limit == "" {
			c.want.Limit = "default"
		}
		if got.Allowed != c.want.Allowed || got.Limit != c.want.Limit || got.Remaining != c.want.Remaining || got.Charged != c.want.Charged || len(got.Limits) != len(c.want.Limits) {
			t.Errorf("%d: %s %s: got %s", i, c.subject, c.body, m.Data)
		}
		if m.Header.Get("Ratelimit") != c.fields || m.Header.Get("Retry-After") != c.retry || m.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("%d: %s %s: got %v", i, c.subject, c.body, m.Header)
		}
	}
	if got := n.Do(node.Request{Client: "a", Limit: "day", Peek: true}).Remaining; got != 98 {
		t.Errorf("%d are left", got)
	}
}

func TestWhatIsAskedWronglyIsAnError(t *testing.T) {
	s := startServer(t)
	serve(t, s, "n1", "a-token-for-tests", nil)
	conn := connect(t, s)
	for _, c := range []struct{ subject, body, code, says string }{
		{"check", `{"client":""}`, "400", "client"},
		{"check", ``, "400", "body"},
		{"check", `{"client":"a","limit":"nope"}`, "404", "nope"},
		{"check", `{"client":"` + strings.Repeat("x", 20000) + `"}`, "413", "larger"},
		{"peek", `[]`, "400", "a JSON object"},
		{"peek", `null`, "400", "a JSON object"},
		{"peek", `{"client":"a"} {}`, "400", "something after the JSON object"},
		{"peek", `{"client":"a"}}`, "400", "something after the JSON object"},
		{"peek", `{"client":"a","client":"b"}`, "400", "more than once"},
		{"peek", `{"client":"\ud800"}`, "400", "half a character"},
		{"peek", "{\"client\":\"\xff\"}", "400", "UTF-8"},
		{"peek", `{"client":["a"]}`, "400", "client must be a text"},
		{"peek", `{"client":7}`, "400", "client must be a text"},
		{"peek", `{"client":null}`, "400", "client must be a text"},
		{"peek", `{"client":"a","cost":"2"}`, "400", "cost must be a number"},
		{"top", `{"limit":true}`, "400", "limit must be a text"},
		{"peek", `{"client":"a","colour":"red"}`, "400", "colour"},
		{"peek", ``, "400", "client"},
		{"top", `{"limit":"nope"}`, "404", "nope"},
		{"limits.get", `{"name":"nope"}`, "404", "nope"},
		{"limits.get", `{"name":"day","x":"y"}`, "400", `"name" alone`},
		{"limits.get", `{"name":7}`, "400", "name must be a text"},
		{"limits.get", `{"name":"."}`, "400", "no limit"},
		{"limits.get", `{"name":".."}`, "400", "no limit"},
		{"limits.get", `{"name":"../status"}`, "404", "../status"},
		{"limits.get", `{"name":"a//b"}`, "404", "a//b"},
		{"limits.set", `{"name":"..","policy":{"limit":5,"window":60}}`, "400", "no limit"},
		{"limits.set", `{"name":"a","name":"b","policy":{"limit":5,"window":60}}`, "400", "more than once"},
		{"limits.set", `{"name":"a","policy":{"limit":5,"window":60},"Policy":{"limit":6,"window":60}}`, "400", "must be such as"},
		{"limits.set", `{"name":"a","policy":5}`, "400", "must be such as"},
		{"limits.set", `{"name":5,"policy":{"limit":5,"window":60}}`, "400", "must be such as"},
		{"limits.set", `{"name":"day","policy":{"limit":5,"window":60}}`, "403", "admin token"},
		{"limits.set", `{"name":"day"}`, "400", "must be such as"},
		{"limits.set", `{"name":"day","policy":{},"x":1}`, "400", "must be such as"},
	} {
		var problem struct {
			Status        int
			Detail, Field string
		}
		m := request(t, conn, "ratelimit.api.default."+c.subject, c.body, &problem)
		if m.Header.Get(micro.ErrorCodeHeader) != c.code || m.Header.Get(micro.ErrorHeader) == "" || fmt.Sprint(problem.Status) != c.code || !strings.Contains(problem.Detail, c.says) {
			t.Errorf("%s %.60s: got %v %s", c.subject, c.body, m.Header, m.Data)
		}
	}
}

func TestLimitsAreReadAndSet(t *testing.T) {
	s := startServer(t)
	n := serve(t, s, "n1", "a-token-for-tests", nil)
	conn := connect(t, s)
	token := []string{"Authorization", "Bearer a-token-for-tests"}
	var one struct{ Limit int64 }
	if request(t, conn, "ratelimit.api.default.limits.get", `{"name":"day"}`, &one); one.Limit != 100 {
		t.Errorf("got %+v", one)
	}
	first := request(t, conn, "ratelimit.api.default.limits.get", `{"name":"day"}`, nil)
	if again := request(t, conn, "ratelimit.api.default.limits.get", `{"name":"day"}`, &one, "If-None-Match", first.Header.Get("Etag")); !bytes.Equal(again.Data, first.Data) || first.Header.Get("Etag") == "" {
		t.Errorf("a read that was read before: got %s %v", again.Data, again.Header)
	}
	if m := request(t, conn, "ratelimit.api.default.limits.set", `{"name":"day","policy":{"limit":7,"window":60}}`, nil, append(token, "If-None-Match", "*")...); m.Header.Get(micro.ErrorCodeHeader) != "412" {
		t.Errorf("a limit that is there: got %s %v", m.Data, m.Header)
	}
	m := request(t, conn, "ratelimit.api.default.limits.set", `{"name":"login","policy":{"limit":7,"window":60}}`, &one, token...)
	if one.Limit != 7 || m.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("got %s %v", m.Data, m.Header)
	}
	if changes := n.Changes(); len(changes) != 1 || changes[0].Name != "login" { // the node's clock stands still
		t.Errorf("got %v", changes)
	}
	var all struct{ Limits map[string]any }
	if request(t, conn, "ratelimit.api.default.limits.get", ``, &all); len(all.Limits) < 2 {
		t.Errorf("got %v", all)
	}
	m = request(t, conn, "ratelimit.api.default.limits.set", `{"name":"login","policy":{"limit":7,"limit":8,"window":60}}`, nil, token...)
	if m.Header.Get(micro.ErrorCodeHeader) != "400" {
		t.Errorf("a repeated field: got %s", m.Data)
	}
}

// Any node answers a check, every node its status, and the tools for services list them all.
func TestNodesShareTheWorkAndTellTheirOwnState(t *testing.T) {
	s := startServer(t)
	network := &node.Memory{}
	for _, name := range []string{"n1", "n2", "n3"} {
		serve(t, s, name, "", network.Transport())
	}
	conn := connect(t, s)
	for range 10 {
		request(t, conn, "ratelimit.api.default.check", `{"client":"a","limit":"day"}`, nil)
	}
	for _, subject := range []string{"ratelimit.api.default.status", "ratelimit.api.default.top", "$SRV.PING.ratelimiter", "$SRV.INFO.ratelimiter", "$SRV.STATS.ratelimiter"} {
		answers := everybody(t, conn, subject, 3)
		if len(answers) != 3 {
			t.Errorf("%s: %d answers", subject, len(answers))
		}
	}
	var names []string
	var decided uint64
	for _, a := range everybody(t, conn, "$SRV.STATS.ratelimiter", 3) {
		var of micro.Stats
		if err := json.Unmarshal(a.Data, &of); err != nil || of.Name != natsapi.Name || of.Version != "1.2.3" || len(of.Endpoints) != 8 {
			t.Errorf("got %s, %v", a.Data, err)
		}
		var data struct {
			Node            string
			Allowed, Denied uint64
			Clients         int
		}
		if err := json.Unmarshal(of.Endpoints[0].Data, &data); err != nil {
			t.Errorf("got %s, %v", of.Endpoints[0].Data, err)
		}
		names = append(names, data.Node)
		decided += data.Allowed
	}
	if slices.Sort(names); fmt.Sprint(names) != "[n1 n2 n3]" || decided != 10 {
		t.Errorf("got %v with %d decisions", names, decided)
	}
}

// everybody asks, and gathers the answers of n.
func everybody(t *testing.T, conn *nats.Conn, subject string, n int) (answers []*nats.Msg) {
	t.Helper()
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := conn.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	for range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("%s: %v after %d answers", subject, err, len(answers))
		}
		answers = append(answers, m)
	}
	return answers
}

func TestAStoppedServiceAnswersNoMore(t *testing.T) {
	s := startServer(t)
	n := serve(t, s, "n1", "", nil)
	own := connect(t, s)
	door, err := natsapi.Serve(natsapi.Config{Conn: own, Prefix: "my.limits", API: httpapi.Config{Node: n}})
	if err != nil {
		t.Fatal(err)
	}
	if err := own.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s)
	request(t, conn, "my.limits.api.default.check", `{"client":"a"}`, &decision{})
	if err := door.Stop(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); ; { // the server may hear of it after the next request
		_, err := conn.Request("my.limits.api.default.check", []byte(`{"client":"a"}`), patience)
		if errors.Is(err, nats.ErrNoResponders) {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("got %v", err)
		}
	}
	if own.IsClosed() {
		t.Error("the caller's connection is closed")
	}
}

func TestAConfigurationIsChecked(t *testing.T) {
	_, err := natsapi.Serve(natsapi.Config{Prefix: "a b"})
	for _, field := range []string{"Conn", "API.Node", "Prefix a b"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing is said of %s: %v", field, err)
		}
	}
	s := startServer(t)
	conn := connect(t, s)
	conn.Close()
	n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := natsapi.Serve(natsapi.Config{Conn: conn, API: httpapi.Config{Node: n, Version: "dirty"}}); err == nil {
		t.Error("a closed connection is taken")
	}
}
