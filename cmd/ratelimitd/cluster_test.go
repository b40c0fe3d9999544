package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// together waits until every daemon is ready and hears n others.
func together(t *testing.T, n int, all ...*process) {
	t.Helper()
	for _, p := range all {
		eventually(t, fmt.Sprintf("%d peers", n), func() bool {
			s := p.status()
			alive := 0
			for _, peer := range s.Peers {
				if peer.State == "alive" {
					alive++
				}
			}
			return s.Node.Ready && alive == n
		})
	}
}

// countTogether uses a limit of 10 up on one daemon and sees it on the others.
func countTogether(t *testing.T, all ...*process) {
	t.Helper()
	for range 10 {
		if resp, body := all[0].ask("POST", "/v1/take?client=alice", ""); resp.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s", resp.StatusCode, body)
		}
	}
	for _, p := range all[1:] {
		eventually(t, "the others know", func() bool {
			_, body := p.ask("GET", "/v1/peek?client=alice", "")
			return strings.Contains(body, `"allowed":false`)
		})
	}
	for _, p := range all {
		// A node that has just joined is degraded until its peers list it in their beats.
		eventually(t, "nobody is degraded", func() bool { return !p.status().Degraded })
		if s := p.status(); s.Sync.PublishErrors != 0 {
			t.Errorf("got %+v", s)
		}
	}
}

func TestEmbeddedServersFormAMeshThatCountsTogether(t *testing.T) {
	key := write(t, "key", "a-key-for-the-test\n")
	seed := runDaemon(t, nil, "-limit", "10", "-nats-cluster", "127.0.0.1:0", "-cluster-key-file", key)
	network, _ := seed.logged("ratelimitd serves")["network"].(string)
	route, ok := strings.CutPrefix(network, "mesh of embedded NATS at ")
	if !ok {
		t.Fatalf("got %q", network)
	}
	join := func(name string) *process {
		return runDaemon(t, nil, "-limit", "10", "-name", name, "-nats-cluster", "127.0.0.1:0", "-nats-routes", "nats://"+route, "-cluster-key-file", key)
	}
	all := []*process{seed, join("n2"), join("n3")}
	together(t, 2, all...)
	countTogether(t, all...)
	// A change on one is a change on all, and in force everywhere when it is answered.
	if resp, body := all[1].ask("PUT", "/v1/limits/default", `{"limit":20,"window":60}`); resp.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s", resp.StatusCode, body)
	}
	for _, p := range all {
		eventually(t, "the new limit", func() bool {
			_, body := p.ask("GET", "/v1/limits/default", "")
			return strings.Contains(body, `"limit":20,`)
		})
	}
	if code := all[2].stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	// It said bye: nobody has to wait for its silence.
	for _, p := range all[:2] {
		if left := p.await("peer left"); left["peer"] != "n3" {
			t.Errorf("got %v", left)
		}
		if p.logged("no -cluster-key-file") != nil || p.logged("this node is alone") != nil {
			t.Errorf("a warning without a cause: %v", p.lines())
		}
	}
}

// TestOthersDialTheAdvertisedAddress lets two nodes learn of each other from a third. Both
// advertise a listener of the test, since either may be the first to dial.
func TestOthersDialTheAdvertisedAddress(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seed := runDaemon(t, nil, "-nats-cluster", "127.0.0.1:0")
	network, _ := seed.logged("ratelimitd serves")["network"].(string)
	route := strings.TrimPrefix(network, "mesh of embedded NATS at ")
	for _, name := range []string{"n2", "n3"} {
		runDaemon(t, nil, "-name", name, "-nats-cluster", "127.0.0.1:0", "-nats-routes", route, "-cluster-advertise", l.Addr().String())
	}
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)); err != nil { //nolint:errcheck,forcetypeassert // what listens on tcp
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("nobody dialled the advertised address: %v", err)
	}
	_ = conn.Close()
}

func TestNodesOnOneServerCountTogether(t *testing.T) {
	password := write(t, "password", "a-password-for-the-test\n")
	auth := []string{"-nats-user", "u", "-nats-password-file", password, "-limit", "10"}
	hub := runDaemon(t, nil, append(auth, "-nats-listen", "127.0.0.1:0")...)
	at := hub.clientURL()
	spoke := runDaemon(t, []string{"RATELIMITD_NATS=" + at}, append(auth, "-name", "n2")...)
	together(t, 1, hub, spoke)
	countTogether(t, hub, spoke)
	spoke.await("no -cluster-key-file")
}

func TestAWrongPasswordIsSaidAndNotTheEnd(t *testing.T) {
	wrong, right := write(t, "wrong", "another-password-for-it\n"), write(t, "right", "a-password-for-the-test\n")
	hub := runDaemon(t, nil, "-nats-listen", "127.0.0.1:0", "-nats-user", "u", "-nats-password-file", right)
	at := hub.clientURL()
	p := runDaemon(t, nil, "-name", "n2", "-nats", at, "-nats-user", "u", "-nats-password-file", wrong)
	if resp, _ := p.ask("POST", "/v1/take?client=a", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
	if why, _ := p.await("NATS refuses the connection")["error"].(string); !strings.Contains(why, "Authorization") {
		t.Errorf("got %q", why)
	}
	// The client gives up at the second refusal in a row, unless told not to.
	refusals := func() (n int) {
		for _, entry := range hub.lines() {
			if text, _ := entry["detail"].(string); strings.Contains(text, "authentication error") {
				n++
			}
		}
		return n
	}
	eventually(t, "a fourth attempt", func() bool { return refusals() >= 4 })
	// The server's side is set right.
	if code := hub.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	hub = runDaemon(t, nil, "-nats-listen", strings.TrimPrefix(at, "nats://"), "-nats-user", "u", "-nats-password-file", wrong)
	together(t, 1, hub, p)
}

func TestPasswordsInURLsAreNotShown(t *testing.T) {
	for _, url := range []string{"nats://me:s3cret@127.0.0.1:1", "me:s3cret@127.0.0.1:1", "nats://127.0.0.1:1,nats://me:s3cret@127.0.0.1:2"} {
		p := runDaemon(t, nil, "-nats", url)
		p.await("cannot connect to NATS")
		for _, entry := range p.lines() {
			if strings.Contains(fmt.Sprint(entry), "s3cret") {
				t.Errorf("got %v", entry)
			}
		}
	}
}

func TestWithoutNATSItServesAlone(t *testing.T) {
	// A port that nobody listens on: it was free a moment ago.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := runDaemon(t, nil, "-limit", "10", "-nats", "nats://"+addr)
	got := map[int]int{}
	for range 15 {
		resp, _ := p.ask("POST", "/v1/take?client=alice", "")
		got[resp.StatusCode]++
	}
	if got[200] != 10 || got[429] != 5 {
		t.Errorf("got %v", got)
	}
	if s := p.status(); !s.Node.Isolated || !s.Degraded || s.Sync.Connected {
		t.Errorf("got %+v", s)
	}
	eventually(t, "ready all the same", func() bool {
		resp, _ := p.ask("GET", "/readyz", "")
		return resp.StatusCode == http.StatusOK
	})
	said := 0
	for _, entry := range p.lines() {
		if text, _ := entry["msg"].(string); strings.Contains(text, "cannot connect") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d lines say that the node cannot connect to NATS: %v", said, p.lines())
	}
	// It never gave up: when a server comes, it is found.
	hub := runDaemon(t, nil, "-name", "n2", "-limit", "10", "-nats-listen", addr)
	together(t, 1, hub, p)
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestItWarnsWhenItIsAloneAmongExpectedPeers(t *testing.T) {
	hub := runDaemon(t, nil, "-nats-listen", "127.0.0.1:0", "-cluster", "one")
	other := runDaemon(t, nil, "-cluster", "two", "-nats", hub.clientURL())
	if w := other.await("this node is alone in its cluster"); w["level"] != "WARN" || w["cluster"] != "two" {
		t.Errorf("got %v", w)
	}
}
