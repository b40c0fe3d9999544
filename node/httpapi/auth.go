package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// token is a secret that requests present. The zero token is none, and nobody has it.
type token struct {
	hash [sha256.Size]byte // so a comparison's time tells no length
	set  bool
}

func newToken(text string) token { return token{sha256.Sum256([]byte(text)), text != ""} }

// is reports whether text is the token, in a time that says nothing about it.
func (t *token) is(text string) bool {
	given := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1 && t.set
}

// auth decides who may write, and who may ask at all. It is immutable.
type auth struct {
	admin, api token
	loopback   bool
}

// tokenHeader is for those whose Authorization is somebody else's: a proxy that passes it on.
const tokenHeader = "X-Api-Token"

// presented are the tokens that a request may mean. A browser asks people for a password, and
// sends it with every request to the server, so that one is for reading only.
func presented(r *http.Request) (tokens [2]string, password string) {
	tokens[0] = r.Header.Get(tokenHeader)
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		tokens[1] = strings.TrimSpace(text)
	}
	_, password, _ = r.BasicAuth()
	return tokens, password
}

// write guards a handler that writes. A refusal is a 403: after a 401 a browser would ask for a
// password, and that is for reading only.
func (a *api) write(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if why := a.auth.refuseWrite(r); why != "" {
			(&problem{Status: http.StatusForbidden, Field: "authorization", Detail: why}).write(w)
			return
		}
		h(w, r)
	}
}

// who says for the log who writes: by which door, from which address, and with which token. Behind a
// proxy the address is the proxy's, because anybody can write a header.
func (a *api) who(r *http.Request) []any {
	who := []any{"door", "http", "address", r.RemoteAddr}
	if a.auth.admin.set {
		who = append(who, "token", a.tokenName)
	}
	return who
}

// refuseWrite returns the reason why the request may not write, or "".
func (a *auth) refuseWrite(r *http.Request) string {
	tokens, _ := presented(r)
	switch {
	case a.admin.set && (a.admin.is(tokens[0]) || a.admin.is(tokens[1])), !a.admin.set && a.loopback:
		return ""
	case a.admin.set:
		return "this changes limits: send the admin token, the content of the file named by -admin-token-file, as 'Authorization: Bearer TOKEN'"
	default:
		return "without an admin token nobody may change limits over the network: " +
			"set an admin token with -admin-token-file FILE and send it as 'Authorization: Bearer TOKEN'"
	}
}

// admits reports whether the request may ask and read. The admin token lets do that, too.
func (a *auth) admits(r *http.Request) bool {
	if !a.api.set {
		return true
	}
	tokens, password := presented(r)
	for _, text := range [...]string{tokens[0], tokens[1], password} {
		if a.api.is(text) || a.admin.is(text) {
			return true
		}
	}
	return false
}

// fromProxy reports whether a proxy that is trusted passes a client's request on. Most of them
// can add no token to it.
func (a *api) fromProxy(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, forwardPath) && a.proxies.Trusts(r.RemoteAddr)
}

// ask guards all handlers but those of health, which an orchestrator calls without a secret.
func (a *api) ask(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.auth.admits(r) && !forEverybody(r.URL.Path) && !a.fromProxy(r) {
			w.Header().Set("WWW-Authenticate", `Bearer, Basic realm="rate limiter", charset="UTF-8"`)
			(&problem{
				Status: http.StatusUnauthorized, Field: "authorization",
				Detail: "send the API token, the content of the file named by -api-token-file, as 'Authorization: Bearer TOKEN', or as the header " + tokenHeader,
			}).write(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}
