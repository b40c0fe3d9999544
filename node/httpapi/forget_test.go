package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// A node that fell silent without a word is a member until it is struck off.
func TestAForgottenNodeIsNoMemberAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		cfg := node.Config{Name: "n1", Transport: network.Transport(), Nodes: 0, Limit: 10, Window: time.Minute, OnFull: node.FullShare}
		cfg.Limits = map[string]node.Policy{"strict": {Limit: 10, Window: time.Minute, OnIsolation: node.IsolationClosed}}
		cfg.Now = time.Now
		n, err := node.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		transport := network.Transport()
		gone, err := node.Open(t.Context(), node.Config{Name: "n2", Transport: transport, Limit: 10, Window: time.Minute, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer gone.Close()
		h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
		allowed := func() bool {
			return ask(t, h, "POST", "/v1/take?client=a&limit=strict", "").Code == http.StatusOK
		}
		time.Sleep(3 * time.Second)
		if !allowed() {
			t.Fatal("denied while both nodes are heard")
		}
		_ = transport.Close() // n2 is not heard any more, and cannot say bye
		time.Sleep(5 * time.Second)
		if w := ask(t, h, "POST", "/v1/take?client=a&limit=strict", ""); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "isolated_closed") {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if w := ask(t, h, "POST", "/v1/forget", `{"node":"n2"}`); w.Code != http.StatusOK || w.Body.String() != `{"forgotten":true,"node":"n2"}`+"\n" {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		time.Sleep(100 * time.Millisecond)
		if !allowed() {
			t.Error("denied though the silent node is no member any more")
		}
		if w := ask(t, h, "POST", "/v1/forget", `{"node":"n2"}`); w.Body.String() != `{"forgotten":false,"node":"n2"}`+"\n" {
			t.Errorf("got %s", w.Body)
		}
	})
}

func TestABadForgetIsRefusedByName(t *testing.T) {
	h := still(t, node.Config{})
	for body, field := range map[string]string{`{}`: "node", `{"node":""}`: "node", `{"name":"n2"}`: "name", `x`: "body", `{"node":1}`: "node"} {
		wantProblem(t, ask(t, h, "POST", "/v1/forget", body), http.StatusBadRequest, field)
	}
}
