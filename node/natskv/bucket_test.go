package natskv_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natskv"
)

const (
	bucketName = "limits"
	patience   = 20 * time.Second
	// check is how often watchers look in tests.
	check = 200 * time.Millisecond
)

// eventually waits for ok, and returns for how long.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// world is a NATS server with JetStream, whose files outlive it.
type world struct {
	t      *testing.T
	dir    string
	port   int
	server *server.Server
	js     jetstream.JetStream
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	w.start(true)
	t.Cleanup(func() { w.stop() })
	js, err := jetstream.New(w.connect())
	must(t, err)
	w.js = js
	return w
}

func (w *world) start(withJetStream bool) {
	w.t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: w.port, NoSigs: true, NoLog: true,
		JetStream: withJetStream, StoreDir: w.dir,
	})
	must(w.t, err)
	s.Start()
	if !s.ReadyForConnections(patience) {
		w.t.Fatal("the server does not start")
	}
	if w.port == server.RANDOM_PORT {
		_, err := fmt.Sscanf(s.ClientURL(), "nats://127.0.0.1:%d", &w.port)
		must(w.t, err)
	}
	w.server = s
}

func (w *world) stop() {
	w.server.Shutdown()
	w.server.WaitForShutdown()
}

func (w *world) connect() *nats.Conn {
	w.t.Helper()
	conn, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", w.port),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.RetryOnFailedConnect(true))
	must(w.t, err)
	w.t.Cleanup(conn.Close)
	return conn
}

func (w *world) create() bucket {
	w.t.Helper()
	kv, err := w.js.CreateKeyValue(w.t.Context(), jetstream.KeyValueConfig{Bucket: bucketName})
	must(w.t, err)
	return bucket{w.t, kv}
}

func (w *world) drop() {
	w.t.Helper()
	must(w.t, w.js.DeleteKeyValue(w.t.Context(), bucketName))
}

// bucket is written to as the nats command does.
type bucket struct {
	t  *testing.T
	kv jetstream.KeyValue
}

func (b bucket) put(name, value string) {
	b.t.Helper()
	eventually(b.t, "put "+name, func() bool { // a server that starts may lose a first request
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		_, err := b.kv.PutString(ctx, "limit."+name, value)
		return err == nil
	})
}

func (b bucket) del(name string) {
	b.t.Helper()
	must(b.t, b.kv.Delete(b.t.Context(), "limit."+name))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// counted is a node that counts what it is told.
type counted struct {
	*node.Node
	mu           sync.Mutex
	sets, erases int
}

func (c *counted) SetLimit(name string, p node.Policy) (time.Time, error) {
	from, err := c.Node.SetLimit(name, p)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sets++
	}
	return from, err
}

func (c *counted) DeleteLimit(name string) (time.Time, error) {
	from, err := c.Node.DeleteLimit(name)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.erases++
	}
	return from, err
}

// told is how often it was told to set and to delete.
func (c *counted) told() (sets, erases int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets, c.erases
}

// log is what a watcher logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines are those that have all the parts.
func (l *log) lines(parts ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// member is a node that follows the bucket.
type member struct {
	node    *counted
	watcher *natskv.Watcher
	log     log
}

// configured is what all nodes have in their configuration.
var configured = map[string]node.Policy{node.DefaultLimit: {Limit: 100, Window: time.Minute}}

// open opens a node of a cluster of so many, on a network of its own.
func open(t *testing.T, network *node.Memory, name string, nodes int) *counted {
	t.Helper()
	n, err := node.Open(context.WithoutCancel(t.Context()), node.Config{
		Name: name, Limits: configured, Transport: network.Transport(), Nodes: nodes, Alone: nodes == 1,
	})
	must(t, err)
	t.Cleanup(func() { _ = n.Close() })
	return &counted{Node: n}
}

// follow makes nodes of one cluster follow the bucket.
func (w *world) follow(nodes ...*counted) []*member {
	w.t.Helper()
	var all []*member
	for _, n := range nodes {
		m := &member{node: n}
		watcher, err := natskv.Watch(w.t.Context(), natskv.Config{
			Conn: w.connect(), Bucket: bucketName, Node: n, Check: check,
			Logger: slog.New(slog.NewTextHandler(&m.log, nil)),
		})
		must(w.t, err)
		m.watcher = watcher
		w.t.Cleanup(func() {
			watcher.Close()
			if w.t.Failed() {
				w.t.Logf("%+v\n%s", watcher.Stats(), m.log.text.String())
			}
		})
		all = append(all, m)
	}
	return all
}

// alone is one node that follows the bucket.
func (w *world) alone() *member {
	w.t.Helper()
	return w.follow(open(w.t, new(node.Memory), "n0", 1))[0]
}

func (m *member) stats() natskv.Stats { return m.watcher.Stats() }

// limit is the limit of that name in force, 0 if there is none.
func (m *member) limit(name string) int64 { return m.node.Limits()[name].Limit }

func (m *member) is(name string, want int64) func() bool {
	return func() bool { return m.limit(name) == want }
}

// settled waits until the watcher has looked a few times and found all well.
func (m *member) settled(t *testing.T) {
	t.Helper()
	before := m.stats().Checks
	eventually(t, "all is well", func() bool { return m.stats().Checks >= before+3 })
}

// errorOf is the error of a change whose instant does not matter.
func errorOf(_ time.Time, err error) error { return err }
