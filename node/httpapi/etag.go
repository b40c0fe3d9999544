package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// Conditional requests (RFC 9110, section 13) let several people change limits without
// undoing each other's changes: a PUT or DELETE with If-Match changes only what its sender
// has seen.

// tagOf is the entity tag of what an answer shows: 96 bits of a hash of its JSON. So the same limit has
// the same tag on all nodes, and a change back brings the old tag back. Fewer bits could make two
// limits look alike.
func tagOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // an answer has a form in JSON
		panic(err)
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// tagged answers with v, or with 304 if the client has it already.
func tagged(w http.ResponseWriter, r *http.Request, v any) {
	tag := tagOf(v)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // it may be kept, and must be asked about
	if names(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	ok(w, v)
}

// names reports whether a condition names the tag. A star names any.
func names(lines []string, tag string) bool {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == "*" || one == tag {
				return true
			}
		}
	}
	return false
}

// pending is the limit as it is, or as it will be within a second: what the next change
// changes. It is nil if there is none.
func (a *api) pending(name string) *node.Policy {
	var p *node.Policy
	if known, found := a.node.Limits()[name]; found {
		p = &known
	}
	for _, c := range a.node.Changes() {
		if c.Name == name {
			if p = nil; !c.Policy.Same(node.Policy{}) {
				p = &c.Policy
			}
		}
	}
	return p
}

// unmet says which condition of a change does not hold, nil if all do. The caller holds
// a.changing, so that no other change comes between.
func (a *api) unmet(r *http.Request, name string) *problem {
	match, none := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	if len(match)+len(none) == 0 {
		return nil
	}
	p, tag := a.pending(name), ""
	if p != nil {
		tag = tagOf(spec.LimitOf(*p))
	}
	switch {
	case len(match) > 0 && (p == nil || !names(match, tag)):
		return &problem{Status: http.StatusPreconditionFailed, Field: "if-match", Detail: "the limit " + spec.Quote(name) + " is not what it was: read it again, with its ETag"}
	case len(none) > 0 && p != nil && names(none, tag):
		return &problem{Status: http.StatusPreconditionFailed, Field: "if-none-match", Detail: "there is a limit " + spec.Quote(name) + " already"}
	}
	return nil
}
