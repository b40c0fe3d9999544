package embednats

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// The accounts of a server. NATS delivers no message from one to the other.
const (
	nodesAccount = "nodes" // what nodes say to each other
	appsAccount  = "apps"  // programs that ask nodes over NATS
)

// tokenPrefix begins the tokens of nodes.
const tokenPrefix = "ratelimit-node."

// NodeToken is the token by which a client of [Config.ClientListen] shows that it is the node of
// that name. secret is [Config.NodeSecret] of the server.
func NodeToken(secret []byte, node string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("nats client " + node))
	return tokenPrefix + node + "." + hex.EncodeToString(h.Sum(nil))
}

// gate decides who may connect as a client, to which account, and with which permissions. It is
// immutable, and safe for concurrent use.
type gate struct {
	cfg      Config
	password string // of the process
	server   *server.Server
}

// Check implements server.Authentication.
func (g *gate) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	addr := c.RemoteAddress()
	if addr == nil {
		return false // it has gone
	}
	if addr.Network() == "pipe" { // a client in this process
		account, ok := map[string]string{processUser: nodesAccount, processAppUser: appsAccount}[o.Username]
		return ok && same(o.Password, g.password) && g.admit(c, account, nil)
	}
	if g.cfg.ClientListen == "" || g.cfg.User != "" && (o.Username != g.cfg.User || !same(o.Password, g.cfg.Password)) {
		return false
	}
	if !strings.HasPrefix(o.Token, tokenPrefix) {
		return g.admit(c, appsAccount, nil)
	}
	// A node that has another key is refused, rather than let in where it would hear nobody.
	node, ok := g.node(o.Token)
	if !ok {
		return false
	}
	publish, subscribe := g.cfg.NodePermissions(node)
	return g.admit(c, nodesAccount, &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	})
}

// node is the name of the node whose token it is.
func (g *gate) node(token string) (name string, ok bool) {
	name = strings.TrimPrefix(token, tokenPrefix)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[:i]
	}
	// A name with a wildcard or a dot in it would have the permissions of others.
	ok = len(g.cfg.NodeSecret) > 0 && name != "" && !strings.ContainsAny(name, ".*> ") && same(token, NodeToken(g.cfg.NodeSecret, name))
	return name, ok
}

// admit lets the client in.
func (g *gate) admit(c server.ClientAuthentication, account string, p *server.Permissions) bool {
	a, err := g.server.LookupAccount(account)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: account, Account: a, Permissions: p})
	return true
}

// same compares secrets in a time that says nothing about them.
func same(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

var errNoPermissions = errors.New("node_permissions: nil: need a function beside a node secret")
