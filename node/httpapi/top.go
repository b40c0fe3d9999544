package httpapi

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// mostTop caps each list of GET /v1/top.
const mostTop = 50

type topClient struct {
	Client  string `json:"client"`
	Allowed uint64 `json:"allowed_units"`
	Denied  uint64 `json:"denied_units"`
}

// top lists two kinds of clients of a limit at this node: those that asked for the most,
// and those that were denied the most. Both are estimates.
func (a *api) top(w http.ResponseWriter, r *http.Request) {
	asked := ""
	if p := readQuery(r, []spec.Field{{Name: "limit", Into: &asked}}, nil); p != nil {
		p.write(w)
		return
	}
	limit := cmp.Or(asked, node.DefaultLimit)
	clients, err := a.node.Top(limit)
	if err != nil {
		a.omitted(asked, unknownLimit("limit", limit)).write(w)
		return
	}
	ok(w, map[string]any{"limit": limit, "heaviest": a.topOf(clients), "most_denied": a.topOf(denied(clients))})
}

func (a *api) topOf(clients []node.TopClient) []topClient {
	out := []topClient{}
	for _, c := range clients[:min(len(clients), mostTop)] {
		out = append(out, topClient{Client: a.redact.name(c.Client), Allowed: c.Allowed, Denied: c.Denied})
	}
	return out
}

// redactor is a random key that hides names; nil shows them. A plain hash would hide
// nothing, because anybody can guess ids and try them.
type redactor []byte

func newRedactor() redactor {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	return key
}

func (k redactor) name(client string) string {
	if k == nil {
		return client
	}
	h := hmac.New(sha256.New, k)
	h.Write([]byte(client))
	return "redacted-" + hex.EncodeToString(h.Sum(nil)[:6])
}
