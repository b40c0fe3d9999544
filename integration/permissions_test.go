package integration_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// documented is the user entry that docs/nats-permissions.md gives for the node
// api-1.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "nats-permissions.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```conf\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("docs/nats-permissions.md holds no conf block")
	}
	return block
}

// generated is what ratelimitctl prints for these nodes.
func generated(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program(t, "ratelimitctl"), append([]string{"nats-permissions"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheDocumentedPermissionsAreThoseThatAreGenerated(t *testing.T) {
	if got, want := generated(t, "api-1"), documented(t); got != want {
		t.Errorf("ratelimitctl prints\n%s\nthe document says\n%s", got, want)
	}
}

// guarded is an external server with one user for each node, and the documented
// permissions.
type guarded struct {
	*hub
	joined int
}

// users are the entries that ratelimitctl prints for the nodes of a cluster, with passwords.
func users(t *testing.T, args ...string) string {
	t.Helper()
	var names []string
	for i := range mostNodes {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	text := generated(t, append(args, strings.Join(names, ","))...)
	for _, name := range names {
		text = strings.ReplaceAll(text, "$NATS_PASSWORD_"+strings.ToUpper(name)+"\n", strconv.Quote("the-secret-of-"+name)+"\n")
	}
	return text
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "nats.conf")
	text := "authorization { users = [\n" + users(t) + "] }\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &guarded{hub: newHub(t, "-a", "127.0.0.1", "-c", conf)}
}

func (g *guarded) options(i int) []nats.Option {
	name := fmt.Sprintf("n%d", i)
	return []nats.Option{nats.UserInfo(name, "the-secret-of-"+name)}
}

func (g *guarded) join() node.NATS {
	via := node.NATS{URL: "nats://" + g.address, Options: g.options(g.joined)}
	g.joined++
	return via
}

// subjects is a set of subjects. Safe for concurrent use.
type subjects struct {
	mu  sync.Mutex
	set map[string]bool
}

func (s *subjects) add(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		s.set = map[string]bool{}
	}
	s.set[subject] = true
}

// match reports whether one of them matches the pattern.
func (s *subjects) match(pattern string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subject := range s.set {
		if deltasync.Matches(pattern, subject) {
			return true
		}
	}
	return false
}

// traced notes the subjects that a node uses, and can lose what is sent to it.
type traced struct {
	deltasync.Transport
	deaf                        atomic.Bool
	published, subscribed, lost subjects
}

// lossy is a handler that hears nothing while its transport is deaf.
type lossy struct {
	deltasync.Handler
	of *traced
}

func (l lossy) Receive(p deltasync.Packet) {
	if l.of.deaf.Load() {
		l.of.lost.add(p.Subject)
		return
	}
	l.Handler.Receive(p)
}

func (tr *traced) Open(subjects []string, h deltasync.Handler) error {
	err := tr.Transport.Open(subjects, lossy{h, tr})
	for _, s := range subjects {
		tr.subscribed.add(s)
	}
	return err
}

func (tr *traced) Publish(subject string, data []byte) error {
	tr.published.add(subject)
	return tr.Transport.Publish(subject, data)
}

// TestClusterNeedsTheDocumentedPermissions runs all that nodes do under the
// permissions of docs/nats-permissions.md: the server must refuse nothing, and each
// line must be of use.
func TestClusterNeedsTheDocumentedPermissions(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server and real seconds")
	}
	t.Parallel()
	g := newGuarded(t)
	tr := &traced{}
	c := &cluster{t: t, net: g}
	for range 2 {
		c.add()
	}
	c.await("two nodes", c.together)
	admitted := spend(c.nodes[0], "alice", 40)

	// The third comes late, so that it takes a snapshot, and is watched.
	conn, err := nats.Connect("nats://"+g.address, g.options(2)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	tr.Transport = deltasync.NATS(conn)
	late, err := node.Open(t.Context(), node.Config{
		Name: "n2", Limit: limit, Window: window, ClusterKey: []byte("a key for all tests"), Transport: tr,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", "n2"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = late.Close() })
	c.nodes = append(c.nodes, late)
	c.await("three nodes", c.together)
	if !c.agree("alice") || late.Stats().Sync.Partial {
		t.Errorf("the late node joined without a snapshot: %+v", late.Do(node.Request{Client: "alice", Peek: true}))
	}

	// Deltas, limits and resets from the watched node, which hears the others too.
	admitted += spend(late, "alice", 20) + spend(c.nodes[1], "alice", 10)
	if admitted != 70 {
		t.Errorf("admitted %d of 70", admitted)
	}
	if _, err := late.SetLimit("login", node.Policy{Limit: 5, Window: time.Minute}); err != nil {
		t.Fatal(err)
	}
	c.await("all agree, and know the new limit", func() bool {
		for _, n := range c.nodes {
			if _, ok := n.Lookup("login"); !ok {
				return false
			}
		}
		return c.agree("alice")
	})
	if err := late.Reset("", "alice"); err != nil {
		t.Fatal(err)
	}
	c.await("the reset is everywhere", func() bool {
		for _, n := range c.nodes {
			if n.Do(node.Request{Client: "alice", Peek: true}).Remaining < limit {
				return false
			}
		}
		return true
	})

	// A request to settle, though one without a message: the node asked counts it as
	// dropped.
	asked := slices.IndexFunc(late.Stats().Sync.Peers, func(p node.PeerStats) bool { return p.Node == "n0" })
	subject := "ratelimit.v1.default.settle.n2." + strconv.FormatUint(late.Stats().Replica, 36) +
		".n0." + strconv.FormatUint(late.Stats().Sync.Peers[asked].Replica, 36)
	if err := tr.Publish(subject, nil); err != nil {
		t.Fatal(err)
	}
	c.await("it reaches the node asked", func() bool { return c.nodes[0].Stats().Sync.Dropped["tag"] == 1 })

	// What it does not hear, it has to ask for.
	tr.deaf.Store(true)
	spend(c.nodes[0], "bob", 10)
	spend(c.nodes[1], "bob", 10)
	c.await("two deltas are lost", func() bool {
		return tr.lost.match("ratelimit.v1.default.delta.n0.*") && tr.lost.match("ratelimit.v1.default.delta.n1.*")
	})
	tr.deaf.Store(false)
	c.await("all agree after a loss", func() bool { return c.agree("bob") })
	if !tr.published.match("ratelimit.v1.default.repair.n2.>") {
		t.Error("the node that lost messages knows what was in them, but asked nobody")
	}
	// The other way round: it answers one that joins, once it is the only one to ask.
	for _, n := range c.nodes[:2] {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	g.joined++
	last := c.add()
	c.await("it joins", func() bool { return last.Ready() == nil })
	if d := last.Do(node.Request{Client: "bob", Peek: true}); d.Remaining > limit-15 || last.Stats().Sync.Partial {
		t.Errorf("the last node knows nothing of bob: %+v", d)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	c.await("its farewell is heard", func() bool {
		return slices.ContainsFunc(last.Stats().Sync.Peers, func(p node.PeerStats) bool {
			return p.Node == "n2" && p.State == node.PeerGone
		})
	})

	log := g.process.log()
	if !strings.Contains(log, "Server is ready") {
		t.Errorf("no log of the server to look for refusals in: %q", log)
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "Violation") {
			t.Errorf("refused: %s", line)
		}
	}
	tr.compare(t, strings.ReplaceAll(documented(t), "api-1", "n2"))
}

// compare checks that each documented line was of use.
func (tr *traced) compare(t *testing.T, conf string) {
	t.Helper()
	publish, subscribe, found := strings.Cut(conf, "subscribe:")
	if !found || strings.Contains(conf, "allow_responses") || strings.Contains(conf, "_INBOX") {
		t.Fatalf("not the documented block: %s", conf)
	}
	lines := func(block string, used *subjects) {
		patterns := regexp.MustCompile(`"([^" ]+[.][^" ]+)"`).FindAllStringSubmatch(block, -1)
		if len(patterns) == 0 {
			t.Errorf("too few permissions found in %s", block)
		}
		for _, p := range patterns {
			if !used.match(p[1]) {
				t.Errorf("the permission %s is of no use", p[1])
			}
		}
	}
	lines(publish, &tr.published)
	lines(subscribe, &tr.subscribed)
	for _, kind := range []string{"snapshot", "repair", "rows", "settle"} {
		if !tr.published.match("ratelimit.v1.default." + kind + ".n2.*.*.*") {
			t.Errorf("it published no %s", kind)
		}
	}
}

// TestClusterNodesCannotSpeakForEachOther is the other side of the permissions.
func TestClusterNodesCannotSpeakForEachOther(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server")
	}
	t.Parallel()
	g := newGuarded(t)
	refused := make(chan error, 8)
	conn, err := nats.Connect("nats://"+g.address, append(g.options(0), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		refused <- err
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	await := func(what string) {
		t.Helper()
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Errorf("%s is not refused", what)
		}
	}
	for _, subject := range []string{
		"ratelimit.v1.default.delta.n1.x", "ratelimit.v1.default.rows.n1.x.n0.y", "ratelimit.v1.other.delta.n0.x", "_INBOX.of.another", "other.subject",
	} {
		if err := conn.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		await("publishing on " + subject)
	}
	for _, subject := range []string{
		">", "ratelimit.>", "ratelimit.v1.default.*.*.*.n1.x", "ratelimit.v1.default.repair.n2.x.n1.y", "ratelimit.v1.default.>", "ratelimit.v1.other.delta.*.*", "_INBOX.>", "$SYS.>",
	} {
		sub, err := conn.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		await("subscribing to " + subject)
		_ = sub.Unsubscribe()
	}
	if conn, err := nats.Connect("nats://" + g.address); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("somebody without a user: %v", err)
		conn.Close()
	}
}
