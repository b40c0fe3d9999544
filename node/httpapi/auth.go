package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// auth decides who may write.
type auth struct {
	token    [sha256.Size]byte // the token's hash, so a comparison's time tells no length
	set      bool
	loopback bool
	sites    *http.CrossOriginProtection
}

func newAuth(token string, loopback bool) auth {
	return auth{token: sha256.Sum256([]byte(token)), set: token != "", loopback: loopback, sites: http.NewCrossOriginProtection()}
}

// write guards a handler that writes.
func (a *api) write(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if why := a.auth.refuse(r); why != "" {
			(&problem{Status: http.StatusForbidden, Field: "authorization", Detail: why}).write(w)
			return
		}
		h(w, r)
	}
}

// who says for the log who writes: by which door, from which address, and with which token.
func (a *api) who(r *http.Request) []any {
	who := []any{"door", "http", "address", r.RemoteAddr}
	if a.auth.set {
		who = append(who, "token", a.tokenName)
	}
	return who
}

// refuse returns the reason why the request may not write, or "".
func (a *auth) refuse(r *http.Request) string {
	if a.set {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		given := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], a.token[:]) == 1 {
			return ""
		}
		return "this changes limits: send the admin token, the content of the file named by -admin-token-file, as 'Authorization: Bearer TOKEN'"
	}
	const set = "set an admin token with -admin-token-file FILE and send it as 'Authorization: Bearer TOKEN'"
	switch {
	case !a.loopback:
		return "without an admin token nobody may change limits over the network: " + set
	case !localHost(r.Host):
		return "without an admin token only requests to localhost may change limits, not those to " + r.Host + ": " + set
	case a.sites.Check(r) != nil:
		return "without an admin token pages of other sites may not change limits: " + set
	}
	return ""
}

// localHost reports whether a Host header names this machine. A page on the web could
// get past the browser's rules with another name that resolves to this machine.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
