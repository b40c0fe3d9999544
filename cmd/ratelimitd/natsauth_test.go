package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/certs/certstest"
)

// external starts a NATS server of somebody else's, and returns its URL.
func external(t *testing.T, o *server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not listen")
	}
	return "nats://" + net.JoinHostPort(o.Host, strconv.Itoa(s.Addr().(*net.TCPAddr).Port)) //nolint:errcheck,forcetypeassert // it listens on TCP
}

// keys makes a pair, with its public key and its seed.
func keys(t *testing.T, create func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, public string, seed []byte) {
	t.Helper()
	pair, err := create()
	if err == nil {
		public, err = pair.PublicKey()
	}
	if err == nil {
		seed, err = pair.Seed()
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair, public, seed
}

// signed is a server that trusts an operator, and the credentials of a user of its only account.
func signed(t *testing.T) (o *server.Options, creds string) {
	t.Helper()
	operator, operatorKey, _ := keys(t, nkeys.CreateOperator)
	account, accountKey, _ := keys(t, nkeys.CreateAccount)
	_, userKey, seed := keys(t, nkeys.CreateUser)
	claims := jwt.NewAccountClaims(accountKey)
	accountJWT, err := claims.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	userJWT, err := jwt.NewUserClaims(userKey).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(userJWT, seed)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(accountKey, accountJWT); err != nil {
		t.Fatal(err)
	}
	return &server.Options{TrustedKeys: []string{operatorKey}, AccountResolver: resolver}, write(t, "user.creds", string(text))
}

// TestEveryKindOfCredentialComesFromAFile has a server for each, which lets nobody in without.
func TestEveryKindOfCredentialComesFromAFile(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("server", "server", time.Hour)
	clientCert, clientKey := a.Issue("client", "client", time.Hour)
	encrypted := func(mutual bool) *server.Options {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(a.Cert)
		o := &server.Options{TLS: true, TLSTimeout: 30, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool}}
		if mutual {
			o.TLSVerify, o.TLSConfig.ClientAuth = true, tls.RequireAndVerifyClientCert
		}
		return o
	}
	_, userKey, seed := keys(t, nkeys.CreateUser)
	byJWT, creds := signed(t)
	const secret = "a-secret-of-the-tests"
	file := write(t, "secret", secret+"\n")
	for name, c := range map[string]struct {
		on   *server.Options
		args []string
		lack []string // what is refused
	}{
		"token":             {&server.Options{Authorization: secret}, []string{"-nats-token-file", file}, nil},
		"user and password": {&server.Options{Username: "u", Password: secret}, []string{"-nats-user", "u", "-nats-password-file", file}, nil},
		"nkey":              {&server.Options{Nkeys: []*server.NkeyUser{{Nkey: userKey}}}, []string{"-nats-nkey", write(t, "seed", string(seed))}, nil},
		"creds":             {byJWT, []string{"-nats-creds", creds}, nil},
		"TLS":               {encrypted(false), []string{"-nats-tls-ca", a.CA()}, []string{"-nats-tls-ca", certstest.New(t).CA()}},
		"mutual TLS":        {encrypted(true), []string{"-nats-tls-ca", a.CA(), "-nats-tls-cert", clientCert, "-nats-tls-key", clientKey}, []string{"-nats-tls-ca", a.CA()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := external(t, c.on)
			var all []*process
			for _, node := range []string{"n1", "n2"} {
				all = append(all, runDaemon(t, nil, append([]string{"-name", node, "-limit", "10", "-nats", url}, c.args...)...))
			}
			together(t, 1, all...)
			countTogether(t, all...)
			stranger := runDaemon(t, nil, append([]string{"-name", "n3", "-nats", url}, c.lack...)...)
			if why, _ := stranger.await("NATS refuses the connection")["error"].(string); strings.Contains(why, secret) {
				t.Errorf("%q tells the secret", why)
			}
			for _, p := range append(all, stranger) {
				for _, line := range p.lines() {
					for _, value := range line {
						if text, _ := value.(string); strings.Contains(text, secret) || strings.Contains(text, string(seed)) {
							t.Errorf("the log tells a secret: %v", line)
						}
					}
				}
			}
		})
	}
}

// TestTheMeshIsEncryptedAndLetsNobodyElseIn has a mesh with certificates of one authority.
func TestTheMeshIsEncryptedAndLetsNobodyElseIn(t *testing.T) {
	a, b := certstest.New(t), certstest.New(t)
	secured := func(name string, by *certstest.Authority, ca string) []string {
		cert, key := by.Issue(name, name, time.Hour)
		return []string{"-name", name, "-limit", "10", "-nats-cluster", "127.0.0.1:0", "-cluster-tls-cert", cert, "-cluster-tls-key", key, "-cluster-tls-ca", ca}
	}
	n1 := runDaemon(t, nil, secured("n1", a, a.CA())...)
	network, _ := n1.logged("ratelimitd serves")["network"].(string)
	route := []string{"-nats-routes", strings.TrimPrefix(network, "mesh of embedded NATS at ")}
	n2 := runDaemon(t, nil, append(secured("n2", a, a.CA()), route...)...)
	together(t, 1, n1, n2)
	countTogether(t, n1, n2)
	// One whom nobody vouches for, one that believes another authority, and one in the clear.
	for _, args := range [][]string{
		append(secured("n3", b, a.CA()), route...), append(secured("n4", a, b.CA()), route...),
		append([]string{"-name", "n5", "-nats-cluster", "127.0.0.1:0"}, route...),
	} {
		p := runDaemon(t, nil, args...)
		p.await("this node is alone in its cluster")
		if s := p.status(); len(s.Peers) > 0 {
			t.Errorf("%s knows %v", args[1], s.Peers)
		}
	}
	if s := n1.status(); len(s.Peers) != 1 {
		t.Errorf("n1 knows %v", s.Peers)
	}
}

// TestClientsOfTheEmbeddedServerConnectOverTLS has a node that is one server to others.
func TestClientsOfTheEmbeddedServerConnectOverTLS(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("server", "server", time.Hour)
	hub := runDaemon(t, nil, "-limit", "10", "-nats-listen", "127.0.0.1:0", "-nats-tls-cert", cert, "-nats-tls-key", key, "-nats-tls-ca", a.CA())
	url := hub.clientURL()
	clientCert, clientKey := a.Issue("client", "client", time.Hour)
	n2 := runDaemon(t, nil, "-name", "n2", "-limit", "10", "-nats", url, "-nats-tls-ca", a.CA(), "-nats-tls-cert", clientCert, "-nats-tls-key", clientKey)
	together(t, 1, hub, n2)
	countTogether(t, hub, n2)
	runDaemon(t, nil, "-name", "n3", "-nats", url, "-nats-tls-ca", a.CA()).await("NATS refuses the connection")
}

// TestANodeWithAnotherKeyIsRefusedByTheHub, although everybody may connect as a program.
func TestANodeWithAnotherKeyIsRefusedByTheHub(t *testing.T) {
	hub := runDaemon(t, nil, "-nats-listen", "127.0.0.1:0", "-cluster-key-file", write(t, "key", "a-key-for-the-tests\n"))
	other := runDaemon(t, nil, "-name", "n2", "-nats", hub.clientURL(), "-cluster-key-file", write(t, "other", "another-key-for-it\n"))
	other.await("NATS refuses the connection")
}

func TestFaultyTLSOfTheMeshIsFoundAtOnce(t *testing.T) {
	a := certstest.New(t)
	cert, key := a.Issue("server", "server", time.Hour)
	empty := write(t, "empty", "\n")
	mesh := []string{"-check", "-nats-cluster", "127.0.0.1:0"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-check", "-cluster-tls-cert", cert, "-cluster-tls-key", key, "-cluster-tls-ca", a.CA()}, "flag -cluster-tls-cert: is of no use without -nats-cluster"},
		{append(mesh, "-cluster-tls-cert", cert), "flag -cluster-tls-cert: is of no use without -cluster-tls-key"},
		{append(mesh, "-cluster-tls-cert", cert, "-cluster-tls-key", key), "flag -cluster-tls-cert: is of no use without -cluster-tls-ca"},
		{append(mesh, "-cluster-tls-ca", a.CA()), "flag -cluster-tls-ca: is of no use without -cluster-tls-cert"},
		{append(mesh, "-cluster-tls-cert", cert, "-cluster-tls-key", key, "-cluster-tls-ca", empty), "flag -cluster-tls-ca: "},
		{append(mesh, "-cluster-tls-cert", cert, "-cluster-tls-key", empty, "-cluster-tls-ca", a.CA()), "flag -cluster-tls-"},
		{[]string{"-check", "-nats", "a", "-cluster-tls-ca", a.CA()}, "flag -cluster-tls-ca: is for the embedded server"},
		{[]string{"-check", "-nats-token-file", empty}, "flag -nats-token-file: "},
		{[]string{"-check", "-nats-tls-cert", cert, "-nats-tls-key", key}, "flag -nats-tls-cert: is of no use without -nats"},
		{[]string{"-check", "-nats-listen", "127.0.0.1:0", "-nats-tls-ca", a.CA()}, "flag -nats-tls-ca: is of no use without -nats-tls-cert"},
	} {
		if _, _, err := runIn(t, nil, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
