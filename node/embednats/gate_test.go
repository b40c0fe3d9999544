package embednats

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

var secret = []byte("a secret of the tests")

// own lets a node publish below its name.
func own(node string) (publish, subscribe []string) {
	return []string{"fact.*." + node + ".>"}, []string{"fact.>", "_INBOX.>"}
}

func connectApp(t *testing.T, s *Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(ProcessURL, s.InProcessApp())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// outside connects over TCP.
func outside(t *testing.T, s *Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// hears counts what arrives of a subject.
func hears(t *testing.T, conn *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := conn.SubscribeSync(subject)
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// TestAppsAndNodesDoNotHearEachOther has a mesh of two servers, with nodes and programs at both.
func TestAppsAndNodesDoNotHearEachOther(t *testing.T) {
	a := run(t, Config{ClusterListen: "127.0.0.1:0", ClientListen: "127.0.0.1:0", NodeSecret: secret, NodePermissions: own})
	b := run(t, Config{ClusterListen: "127.0.0.1:0", Routes: []string{a.ClusterAddr()}})
	eventually(t, "a route", func() bool { return a.Routes() == 1 && b.Routes() == 1 })
	node := nats.Token(NodeToken(secret, "n1"))
	nodes := []*nats.Conn{connect(t, a), connect(t, b), outside(t, a, node)}
	apps := []*nats.Conn{connectApp(t, a), connectApp(t, b), outside(t, a), outside(t, a, nats.Token("somebody's own"))}
	const secretly, openly = "fact.delta.n1.x", "fact.app.n1.x"
	var atNodes, atApps []*nats.Subscription
	for _, conn := range nodes {
		atNodes = append(atNodes, hears(t, conn, "fact.>"))
	}
	for _, conn := range apps {
		atApps = append(atApps, hears(t, conn, "fact.>"))
	}
	// Interest travels through the mesh by itself: both sides publish until all of their own heard.
	await := func(what string, from *nats.Conn, subject string, at []*nats.Subscription) {
		t.Helper()
		for _, sub := range at {
			eventually(t, what, func() bool {
				if err := from.Publish(subject, nil); err != nil {
					t.Fatal(err)
				}
				m, err := sub.NextMsg(20 * time.Millisecond)
				if err == nil && m.Subject != subject {
					t.Fatalf("%s: heard %s", what, m.Subject)
				}
				return err == nil
			})
		}
	}
	await("all nodes hear a node", nodes[2], secretly, atNodes)
	await("all programs hear a program", apps[2], openly, atApps)
	for _, sub := range append(atNodes, atApps...) {
		for {
			m, err := sub.NextMsg(10 * time.Millisecond)
			if err != nil {
				break
			}
			if want := map[bool]string{true: secretly, false: openly}[strings.Contains(m.Subject, "delta")]; m.Subject != want {
				t.Errorf("heard %s", m.Subject)
			}
		}
	}
}

func TestANodeSpeaksForItselfAlone(t *testing.T) {
	s := run(t, Config{ClientListen: "127.0.0.1:0", NodeSecret: secret, NodePermissions: own})
	refused := make(chan error, 8)
	n1 := outside(t, s, nats.Token(NodeToken(secret, "n1")), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	all := hears(t, connect(t, s), "fact.>")
	for _, subject := range []string{"fact.delta.n2.x", "fact.delta.n1", "other.delta.n1.x", "fact.delta.n1.x"} {
		if err := n1.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if subject == "fact.delta.n1.x" {
			break
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", subject, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s is not refused", subject)
		}
	}
	m, err := all.NextMsg(20 * time.Second)
	if err != nil || m.Subject != "fact.delta.n1.x" {
		t.Errorf("heard %v, %v", m, err)
	}
}

func TestWhoIsNotTheNodeIsRefused(t *testing.T) {
	s := run(t, Config{ClientListen: "127.0.0.1:0", NodeSecret: secret, NodePermissions: own})
	bare := run(t, Config{ClientListen: "127.0.0.1:0"})
	good := NodeToken(secret, "n1")
	for name, c := range map[string]struct {
		at    *Server
		token string
	}{
		"another key":            {s, NodeToken([]byte("another"), "n1")},
		"another node's":         {s, strings.Replace(good, "n1", "n2", 1)},
		"one that is cut short":  {s, good[:len(good)-1]},
		"a wildcard":             {s, NodeToken(secret, "*")},
		"all":                    {s, NodeToken(secret, ">")},
		"two tokens":             {s, NodeToken(secret, "n1.x")},
		"nobody":                 {s, NodeToken(secret, "")},
		"nothing but the prefix": {s, tokenPrefix},
		"a server without nodes": {bare, NodeToken(nil, "n1")},
	} {
		conn, err := nats.Connect(c.at.ClientURL(), nats.Token(c.token))
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
			conn.Close()
		}
	}
}
