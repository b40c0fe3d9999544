package embednats

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, s *Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(ProcessURL, s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// eventually polls until ok says yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reaches waits until what from publishes arrives at to, and fails where it does not.
func reaches(t *testing.T, from, to *nats.Conn) {
	t.Helper()
	sub, err := to.SubscribeSync("fact." + nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	eventually(t, "message to "+to.ConnectedServerName(), func() bool {
		// Interest takes a moment to travel through the mesh, so publish until it has.
		if err := from.Publish(sub.Subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		_, err := sub.NextMsg(20 * time.Millisecond)
		return err == nil
	})
}

func TestAServerAloneOpensNoPort(t *testing.T) {
	s := run(t, Config{})
	if s.server.Addr() != nil || s.server.ClusterAddr() != nil {
		t.Errorf("listens on %v and %v", s.server.Addr(), s.server.ClusterAddr())
	}
	if s.ClientURL() != "" || s.ClusterAddr() != "" || s.Routes() != 0 {
		t.Errorf("says that it has %q, %q and %d routes", s.ClientURL(), s.ClusterAddr(), s.Routes())
	}
	reaches(t, connect(t, s), connect(t, s))
}

func TestTheProcessHasToUseItsOwnDoor(t *testing.T) {
	s := run(t, Config{ClusterListen: "127.0.0.1:0", NodeSecret: secret, NodePermissions: own})
	address := "nats://" + s.server.Addr().String()
	if !strings.HasPrefix(address, "nats://127.0.0.1:") {
		t.Errorf("a mesh without a client address listens on %s", address)
	}
	if s.ClientURL() != "" {
		t.Errorf("offers %s to clients", s.ClientURL())
	}
	for name, opt := range map[string]nats.Option{
		"nobody":                   nats.UserInfo("", ""),
		"the process's own user":   nats.UserInfo(processUser, s.password),
		"its user, wrong password": nats.UserInfo(processUser, "x"),
		"the token of a node":      nats.Token(NodeToken(secret, "n1")),
	} {
		conn, err := nats.Connect(address, opt)
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: connected over TCP, error %v", name, err)
			conn.Close()
		}
	}
	reaches(t, connect(t, s), connect(t, s))
}

func TestClientsOutsideNeedThePasswordWhereThereIsOne(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		opt  nats.Option
		want error
	}{
		{Config{}, nats.UserInfo("", ""), nil},
		{Config{User: "ops", Password: "secret"}, nats.UserInfo("ops", "secret"), nil},
		{Config{User: "ops", Password: "secret"}, nats.UserInfo("ops", "guess"), nats.ErrAuthorization},
		{Config{User: "ops", Password: "secret"}, nats.UserInfo("", ""), nats.ErrAuthorization},
		{Config{User: "ops", Password: "secret"}, nats.UserInfo(appsAccount, ""), nats.ErrAuthorization},
		{Config{User: "ops", Password: "secret", NodeSecret: secret, NodePermissions: own}, nats.Token(NodeToken(secret, "n1")), nats.ErrAuthorization},
		{Config{}, nats.UserInfo(processUser, "guess"), nil}, // a name like any other
	} {
		c.cfg.ClientListen = "127.0.0.1:0"
		s := run(t, c.cfg)
		conn, err := nats.Connect(s.ClientURL(), c.opt)
		if !errors.Is(err, c.want) {
			t.Errorf("user %q: got %v, want %v", c.cfg.User, err, c.want)
		}
		if err == nil {
			reaches(t, conn, connectApp(t, s))
			conn.Close()
		}
	}
}

func TestOneSeedMakesTheWholeMesh(t *testing.T) {
	seed := run(t, Config{Name: "a", ClusterListen: "127.0.0.1:0", RoutePassword: "p"})
	routes := []string{"nats://" + seed.ClusterAddr()}
	servers := []*Server{
		seed,
		run(t, Config{Name: "b", ClusterListen: "127.0.0.1:0", Routes: routes, RoutePassword: "p"}),
		run(t, Config{Name: "b", ClusterListen: "127.0.0.1:0", Routes: routes, RoutePassword: "p"}),
	}
	for _, s := range servers {
		eventually(t, "two routes", func() bool { return s.Routes() == 2 })
	}
	for _, from := range servers {
		for _, to := range servers {
			reaches(t, connect(t, from), connect(t, to))
		}
	}
}

func TestOwnAddressAmongTheRoutesIsFine(t *testing.T) {
	addresses := []string{freeAddress(t), freeAddress(t)}
	a := run(t, Config{ClusterListen: addresses[0], Routes: addresses})
	b := run(t, Config{ClusterListen: addresses[1], Routes: addresses})
	eventually(t, "one route each", func() bool { return a.Routes() == 1 && b.Routes() == 1 })
	reaches(t, connect(t, a), connect(t, b))
}

func TestAServerThatComesLateIsFound(t *testing.T) {
	address := freeAddress(t)
	first := run(t, Config{ClusterListen: "127.0.0.1:0", Routes: []string{address}})
	if first.Routes() != 0 {
		t.Fatalf("%d routes to nobody", first.Routes())
	}
	second := run(t, Config{ClusterListen: address})
	eventually(t, "a route", func() bool { return first.Routes() == 1 && second.Routes() == 1 })
}

func TestOnlyTheRoutePasswordJoinsTheMesh(t *testing.T) {
	a := run(t, Config{ClusterListen: "127.0.0.1:0", RoutePassword: "right"})
	for name, password := range map[string]string{"wrong": "wrong", "none": ""} {
		var log lines
		stranger, err := Start(Config{
			ClusterListen: "127.0.0.1:0", RoutePassword: password, Routes: []string{a.ClusterAddr()},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		// Twice, since it may say so before it is shut out.
		eventually(t, name+" password: refused twice", func() bool { return log.count("Authorization") > 1 })
		if stranger.Routes() != 0 || a.Routes() != 0 {
			t.Errorf("%s password: in the mesh", name)
		}
		if err := stranger.Close(); err != nil {
			t.Error(err)
		}
	}
	right := run(t, Config{ClusterListen: "127.0.0.1:0", RoutePassword: "right", Routes: []string{a.ClusterAddr()}})
	eventually(t, "the right one joins", func() bool { return a.Routes() == 1 && right.Routes() == 1 })
}

// lines is a log to search.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func TestAPortInUseIsOneClearError(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for what, cfg := range map[string]Config{
		"clients":       {ClientListen: taken},
		"other servers": {ClusterListen: taken},
	} {
		began := time.Now()
		s, err := Start(cfg)
		if !errors.Is(err, syscall.EADDRINUSE) || s != nil {
			t.Fatalf("%s: got %v, %v", what, s, err)
		}
		text := err.Error()
		if strings.Contains(text, "\n") || strings.Count(text, taken) != 1 || !strings.Contains(text, what) {
			t.Errorf("not one clear line naming %s and %s once: %q", what, taken, text)
		}
		if took := time.Since(began); took > startTimeout/2 {
			t.Errorf("took %v to say so", took)
		}
	}
}

func TestBadSettingsAreRefusedByName(t *testing.T) {
	for field, cfg := range map[string]Config{
		"client_listen":     {ClientListen: "4222"},
		"cluster_listen":    {ClusterListen: "127.0.0.1:70000"},
		"routes":            {Routes: []string{"127.0.0.1:6222"}},
		"user":              {User: "u"},
		"cluster_advertise": {ClusterListen: "127.0.0.1:0", ClusterAdvertise: "host"},
	} {
		s, err := Start(cfg)
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s: got %v", field, err)
			_ = s.Close()
		}
	}
	for _, route := range []string{"", "host", "host:", ":6222", "http://host:6222", "nats://a b:1", "nats://:6222", "://"} {
		s, err := Start(Config{ClusterListen: "127.0.0.1:0", Routes: []string{route}})
		if err == nil || !strings.Contains(err.Error(), "routes:") {
			t.Errorf("route %q: got %v", route, err)
			_ = s.Close()
		}
	}
	_, err := Start(Config{ClusterListen: "127.0.0.1:0", Routes: []string{"nats://u:hidden@host", "http://u:hidden@host:1", "nats://u:hidden@a b:1"}})
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a route's password shows in %v", err)
	}
	_, err = Start(Config{ClientListen: "x", ClusterListen: "y"})
	if err == nil || !strings.Contains(err.Error(), "client_listen") || !strings.Contains(err.Error(), "cluster_listen") {
		t.Errorf("not all faults are reported together: %v", err)
	}
}

func TestCloseIsIdempotentAndFreesThePorts(t *testing.T) {
	s := run(t, Config{ClientListen: "127.0.0.1:0", ClusterListen: "127.0.0.1:0"})
	client, cluster := strings.TrimPrefix(s.ClientURL(), "nats://"), s.ClusterAddr()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(t, Config{ClientListen: client, ClusterListen: cluster})
}

// TestARouteLearntByHearsayHeals cuts the one route of three that no configuration
// names. By default a server gives up on such a route at the first refusal: the two
// sides stay apart for good, while both are connected to the third.
func TestARouteLearntByHearsayHeals(t *testing.T) {
	seed := run(t, Config{ClusterListen: "127.0.0.1:0"})
	var log lines
	behind := func(d *door) *Server {
		s, err := Start(Config{
			ClusterListen: "127.0.0.1:0", ClusterAdvertise: d.address, Routes: []string{seed.ClusterAddr()},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		d.open(t, s.ClusterAddr())
		return s
	}
	doorB, doorC := newDoor(t), newDoor(t)
	b, c := behind(doorB), behind(doorC)
	whole := func() bool { return seed.Routes() == 2 && b.Routes() == 2 && c.Routes() == 2 }
	eventually(t, "whole mesh", whole)
	if doorB.passing()+doorC.passing() == 0 {
		t.Fatal("the route between b and c goes through no door: this test would prove nothing")
	}

	doorB.shut()
	doorC.shut()
	eventually(t, "the cut is noticed", func() bool { return b.Routes() == 1 && c.Routes() == 1 })
	eventually(t, "a redial is refused", func() bool { return log.count("connect to route") > 0 })
	doorB.open(t, b.ClusterAddr())
	doorC.open(t, c.ClusterAddr())
	eventually(t, "whole mesh again", whole)
	reaches(t, connect(t, b), connect(t, c))
	reaches(t, connect(t, c), connect(t, b))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
