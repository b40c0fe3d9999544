package natskv_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natskv"
)

var _ natskv.Node = (*node.Node)(nil)

func TestLimitsFollowTheBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("default", `{"limit":200,"window":60}`)
	b.put("a.b", `{"limit":5,"window":1}`)
	m := w.alone()
	eventually(t, "what was there", func() bool { return m.limit("default") == 200 && m.limit("a.b") == 5 })
	b.put("default", `{"limit":300,"window":60}`)
	took := eventually(t, "a change", m.is("default", 300))
	t.Logf("a put was in force after %v", took)
	b.put("new", `{"limit":7,"window":60}`)
	eventually(t, "a new one", m.is("new", 7))

	b.del("default")
	eventually(t, "a deleted one is configured again", m.is("default", 100))
	must(t, b.kv.Purge(t.Context(), "limit.new"))
	eventually(t, "a purged one is gone", m.is("new", 0))
	b.put("new", `{"limit":8,"window":60}`)
	eventually(t, "and is back", m.is("new", 8))
	s := m.stats()
	if s.Set != 5 || s.Deleted != 2 || s.Refused != 0 || !s.Current || s.Problem != "" || s.Limits != 2 {
		t.Errorf("got %+v", s)
	}
	// Each line says what was, what is, and who said so.
	for _, want := range []string{
		`limit=default old="100 per 1m" new="200 per 1m"`, `limit=default old="200 per 1m" new="300 per 1m"`, `limit=new old=none new="7 per 1m"`,
		`limit=default old="300 per 1m" new="100 per 1m"`, `limit=new old="7 per 1m" new=none`, `limit=new old=none new="8 per 1m"`,
	} {
		if len(m.log.lines(want, "door=nats_kv_bucket bucket=", "revision=")) != 1 {
			t.Errorf("no line has %s: %q", want, m.log.lines())
		}
	}
}

func TestOneOfManyWatchersWrites(t *testing.T) {
	t.Parallel()
	const nodes, changes = 10, 5
	w := newWorld(t)
	b := w.create()
	var network node.Memory
	var all []*counted
	for i := range nodes {
		all = append(all, open(t, &network, fmt.Sprintf("n%d", i), nodes))
	}
	members := w.follow(all...)
	for _, m := range members {
		eventually(t, "all are ready and follow", func() bool { return m.node.Ready() == nil && m.stats().Current })
	}
	var longest time.Duration
	for i := range changes {
		want := int64(1000 + i)
		b.put("api", fmt.Sprintf(`{"limit":%d,"window":60}`, want))
		longest = max(longest, eventually(t, "everywhere", func() bool {
			for _, m := range members {
				if m.limit("api") != want {
					return false
				}
			}
			return true
		}))
	}
	b.del("api")
	eventually(t, "gone everywhere", func() bool {
		for _, m := range members {
			if m.limit("api") != 0 {
				return false
			}
		}
		return true
	})
	members[0].settled(t)
	sets, erases := 0, 0
	for _, m := range members {
		s, e := m.node.told()
		sets, erases = sets+s, erases+e
	}
	t.Logf("%d nodes: %d writes for %d puts, %d for a delete; in force everywhere after %v at most", nodes, sets, changes, erases, longest)
	if sets < changes || sets > 2*changes || erases < 1 || erases > 2 {
		t.Errorf("%d writes for %d puts, %d for a delete", sets, changes, erases)
	}
}

func TestWatchersShareTheWorkOfManyChanges(t *testing.T) {
	t.Parallel()
	const nodes, limits = 3, 500
	w := newWorld(t)
	w.create()
	for i := range limits {
		_, err := w.js.PublishAsync(fmt.Sprintf("$KV.%s.limit.l%d", bucketName, i), []byte(`{"limit":5,"window":60}`))
		must(t, err)
	}
	<-w.js.PublishAsyncComplete()
	var network node.Memory
	var all []*counted
	for i := range nodes {
		all = append(all, open(t, &network, fmt.Sprintf("n%d", i), nodes))
	}
	members, sets := w.follow(all...), 0
	took := eventually(t, "all limits, on all nodes", func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool { return len(m.node.Limits()) != limits+1 })
	})
	for _, m := range members {
		s, _ := m.node.told()
		sets += s
	}
	t.Logf("%d nodes, %d limits: %d writes, %v", nodes, limits, sets, took)
	if sets < limits || sets > 2*limits {
		t.Errorf("%d writes for %d limits", sets, limits)
	}
}

func TestWhatHoldsAlreadyIsNotSetAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	m := w.alone()
	for i, value := range []string{
		`{"limit":100,"window":60}`,
		`{"limit":100,"window":"1m","burst":100,"max_overshoot":0.1,"algorithm":"gcra","resolution":1,"time_zone":"UTC","overrides":[]}`,
		`{"limit":5,"window":"month","algorithm":"fixed_window","time_zone":"Europe/Berlin"}`,
		`{"limit":5,"window":86400,"algorithm":"fixed_window","burst":5}`,
		`{"limit":5,"window":10,"algorithm":"sliding_window","resolution":5}`,
		`{"block":true}`,
		`{"unlimited":true,"overrides":[{"client":"mallory","block":true}]}`,
		`{"limit":5,"window":10,"ipv6_prefix":56,"overrides":[{"cidr":["10.0.0.0/8","fd00::/8"],"limit":50},{"prefix":"a","limit":3,"window":60,"burst":2}]}`,
		`{"limit":5,"window":10,"shadow":true,"consistency":"local","on_isolation":"share"}`,
	} {
		b.put(fmt.Sprintf("l%d", i), value)
	}
	eventually(t, "all of them", func() bool { return m.stats().Set == 9 })
	m.settled(t)
	if s := m.stats(); s.Set != 9 || s.Refused != 0 || s.Reads != 1 {
		t.Errorf("got %+v", s)
	}
	// Another watcher, as after a restart, finds nothing to do, nor do equal values.
	again := w.follow(m.node)[0]
	b.put("l0", `{"window":"60s","limit":100}`)
	again.settled(t)
	if s := again.stats(); s.Set != 0 || s.Reads != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestABadValueIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("api", `{"limit":5,"window":60}`)
	b.put("api.late", `{"limit":5}`)
	m := w.alone()
	eventually(t, "a good one", m.is("api", 5))
	for i, c := range []struct{ value, want string }{
		{`{"limit":6,"window":60,"brust":3}`, "brust is unknown: known are limit, window, burst"},
		{`{"limit":0,"window":60}`, "limit 0: must be at least 1; to let nobody pass write block: true"},
		{`{"limit":6,"window":60`, "the value ends in the middle of the JSON object; one that is right is such as"},
		{`limit=6`, "the value must be a JSON object"},
		{``, "the value is empty"},
		{`{"limit":6,"window":"fortnight"}`, "must be a number of seconds, a duration"},
		{`{"limit":6,"window":60,"use":"nothing"}`, `use \"nothing\": is no limit: there are`},
		{`{"limit":-6,"burst":-1,"window":60}`, "burst -1: must be"},
		{"{\"limit\":6,\"window\":60}" + strings.Repeat(" ", 1<<20-1000), "value of 1047599 bytes: must be at most 65536 bytes"},
	} {
		b.put("api", c.value)
		eventually(t, c.want, func() bool { return len(m.log.lines("level=WARN", "refused", "key=limit.api ", c.want)) == 1 })
		if got := m.stats().Refused; got != uint64(i)+2 {
			t.Errorf("%s: %d refused", c.want, got)
		}
	}
	if len(m.log.lines("key=limit.api.late", "window 0s: must be")) != 1 {
		t.Errorf("got %q", m.log.lines())
	}
	m.settled(t)
	if s := m.stats(); m.limit("api") != 5 || s.Set != 1 || s.Refused != 10 || s.Reads != 1 {
		t.Errorf("limit %d, %+v", m.limit("api"), s)
	}
	for _, line := range m.log.lines() {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	b.del("api")
	eventually(t, "what was said before can be deleted", m.is("api", 0))
}

func TestANameThatNoLimitMayHaveIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	m := w.alone()
	for _, name := range []string{"a/b", "a=b", strings.Repeat("x", 65), node.InlineLimit} {
		b.put(name, `{"limit":5,"window":60}`)
		eventually(t, name, func() bool {
			return len(m.log.lines("refused", "key=\"limit."+name+"\"", "name")) == 1 || len(m.log.lines("refused", "key=limit."+name+" ", "name")) == 1
		})
	}
	m.settled(t)
	if s := m.stats(); s.Set != 0 || s.Refused != 4 || s.Reads != 1 || len(m.node.Limits()) != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestOtherKeysAndOtherLimitsAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	m := w.alone()
	must(t, errorOf(m.node.SetLimit("put", node.Policy{Limit: 9, Window: time.Minute})))
	for _, key := range []string{"limits.api", "limit", "other.limit.api", "Limit.api"} {
		_, err := b.kv.PutString(t.Context(), key, `{"limit":5,"window":60}`)
		must(t, err)
	}
	eventually(t, "in force", func() bool { return m.limit("put") == 9 && len(m.node.Changes()) == 0 })
	b.del("put") // of what never was a key, but it takes back what was set before
	eventually(t, "deleted", m.is("put", 0))
	must(t, errorOf(m.node.SetLimit("put", node.Policy{Limit: 10, Window: time.Minute})))
	m.settled(t)
	if s := m.stats(); m.limit("put") != 10 || len(m.node.Limits()) != 2 || s.Limits != 0 || s.Set != 0 {
		t.Errorf("got %v, %+v", m.node.Limits(), s)
	}
	// A key that was deleted before the limit was set does not end it when it is read again.
	again := w.follow(m.node)[0]
	again.settled(t)
	if m.limit("put") != 10 {
		t.Error("an old delete ended a new limit")
	}
}

func TestTheBucketHasTheLastWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("api", `{"limit":5,"window":60}`)
	m := w.alone()
	eventually(t, "as in the bucket", m.is("api", 5))
	must(t, errorOf(m.node.SetLimit("api", node.Policy{Limit: 9, Window: time.Minute})))
	eventually(t, "changed otherwise, and changed back", func() bool { return m.stats().Set == 2 && m.limit("api") == 5 })
	must(t, errorOf(m.node.DeleteLimit("api")))
	eventually(t, "deleted otherwise, and back", func() bool { return m.stats().Set == 3 && m.limit("api") == 5 })
}

func TestLimitsOfTheBucketMayUseEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("api", `{"use":"standard","limit":20}`)
	b.put("late", `{"use":"api","overrides":[{"client":"a","use":"standard"}]}`)
	b.put("standard", `{"use":"default","window":30}`)
	b.put("round", `{"use":"trip","limit":1}`)
	b.put("trip", `{"use":"round","limit":1}`)
	m := w.alone()
	window := func(name string) time.Duration { return m.node.Limits()[name].Window }
	eventually(t, "all", func() bool { return m.limit("api") == 20 && window("late") == 30*time.Second })
	if got := m.node.Limits()["late"]; got.Limit != 20 || len(got.Overrides) != 1 || got.Overrides[0].Limit != 100 {
		t.Errorf("got %+v", got)
	}
	// A change of what is used follows, in the bucket and elsewhere.
	b.put("standard", `{"use":"default","window":40}`)
	eventually(t, "a change in the bucket follows", func() bool { return window("api") == 40*time.Second && window("late") == 40*time.Second })
	must(t, errorOf(m.node.Configure(map[string]node.Policy{node.DefaultLimit: {Limit: 111, Window: time.Minute}})))
	eventually(t, "a change elsewhere follows", m.is("standard", 111))
	if len(m.log.lines("refused", "goes in a circle")) == 0 || len(m.node.Limits()) != 4 {
		t.Errorf("got %v, %q", m.node.Limits(), m.log.lines())
	}
}

func TestABucketThatComesLaterIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.alone()
	eventually(t, "it is said", func() bool { return m.stats().Problem == "there is no such bucket" })
	b := w.create()
	b.put("api", `{"limit":5,"window":60}`)
	eventually(t, "found", m.is("api", 5))
	if len(m.log.lines("cannot be read", "there is no such bucket")) != 1 || len(m.log.lines("limits follow the NATS bucket")) != 1 {
		t.Errorf("got %q", m.log.lines())
	}
}

func TestABucketThatIsDeletedLeavesTheLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("api", `{"limit":5,"window":60}`)
	b.put("web", `{"limit":6,"window":60}`)
	m := w.alone()
	eventually(t, "as in the bucket", m.is("web", 6))
	w.drop()
	eventually(t, "it is said", func() bool { return !m.stats().Current })
	b = w.create()
	b.put("web", `{"limit":7,"window":60}`)
	eventually(t, "the new one is followed", m.is("web", 7))
	m.settled(t)
	if m.limit("api") != 5 {
		t.Error("a limit went with its bucket")
	}
}

func TestABucketThatIsReplacedBetweenLooksIsReadAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	for range 50 {
		b.put("api", `{"limit":5,"window":60}`)
	}
	m := w.alone()
	eventually(t, "as in the bucket", m.is("api", 5))
	w.drop()
	w.create().put("api", `{"limit":6,"window":60}`)
	eventually(t, "as in the new one", m.is("api", 6))
}

func TestAServerThatRestartsChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.create()
	b.put("api", `{"limit":5,"window":60}`)
	b.put("web", `{"limit":5,"window":60}`)
	m := w.alone()
	eventually(t, "as in the bucket", m.is("web", 5))
	w.stop()
	must(t, errorOf(m.node.SetLimit("put", node.Policy{Limit: 9, Window: time.Minute})))
	eventually(t, "the node goes on", m.is("put", 9))
	w.start(true)
	b.put("web", `{"limit":6,"window":60}`)
	took := eventually(t, "what comes later is followed", m.is("web", 6))
	t.Logf("followed again %v after the restart", took)
	m.settled(t)
	if s := m.stats(); m.limit("api") != 5 || m.limit("put") != 9 || s.Set != 3 || s.Deleted != 0 {
		t.Errorf("got %v, %+v", m.node.Limits(), s)
	}
}

func TestAServerWithoutJetStreamIsNoFault(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	w.start(false)
	m := w.alone()
	eventually(t, "it is said", func() bool { return m.stats().Problem == "the NATS server has no JetStream" })
	w.stop()
	w.start(true)
	t.Cleanup(w.stop)
	js, err := jetstream.New(w.connect())
	must(t, err)
	w.js = js
	w.create().put("api", `{"limit":5,"window":60}`)
	eventually(t, "found", m.is("api", 5))
}

func TestWatchRefusesWhatCannotWork(t *testing.T) {
	conn, err := nats.Connect("nats://127.0.0.1:1", nats.RetryOnFailedConnect(true))
	must(t, err)
	defer conn.Close()
	n := open(t, new(node.Memory), "n0", 1)
	for want, cfg := range map[string]natskv.Config{
		"natskv: conn nil: must be a connection":    {Bucket: "b", Node: n},
		"natskv: node nil: must be the node":        {Bucket: "b", Conn: conn},
		`natskv: bucket "": must be 1 to 200`:       {Node: n, Conn: conn},
		`natskv: bucket "a.b": must be 1 to 200 of`: {Node: n, Conn: conn, Bucket: "a.b"},
		"natskv: check -1ns: must not be negative":  {Node: n, Conn: conn, Bucket: "b", Check: -1},
		"natskv: spread -1ns: must not be negative": {Node: n, Conn: conn, Bucket: "b", Spread: -1},
	} {
		if _, err := natskv.Watch(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := natskv.Watch(t.Context(), natskv.Config{Node: n, Conn: &nats.Conn{}, Bucket: "b"}); err == nil {
		t.Error("a connection that was never made was taken")
	}
	var none context.Context
	if _, err := natskv.Watch(none, natskv.Config{Node: n, Conn: conn, Bucket: "b"}); err == nil {
		t.Error("a nil context was taken")
	}
	// It neither waits for a server nor for its answer when it is closed.
	w, err := natskv.Watch(t.Context(), natskv.Config{Node: n, Conn: conn, Bucket: "b"})
	must(t, err)
	began := time.Now()
	w.Close()
	w.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing took %v", took)
	}
}
