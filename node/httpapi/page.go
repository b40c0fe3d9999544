package httpapi

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"names": func(m map[string]limitStatus) []string { return slices.Sorted(maps.Keys(m)) },
	"units": func(u *float64) string {
		if u == nil {
			return "unknown"
		}
		return strconv.FormatFloat(*u, 'f', 1, 64)
	},
	"percent": func(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + " %" },
	"rule":    ruleOf,
}).Parse(pageSource))

// page serves a page for people.
func (a *api) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, a.statusNow()); err != nil {
		(&problem{Status: http.StatusInternalServerError, Detail: err.Error()}).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b.Bytes()) // an error means that the client has gone
}

// ruleOf describes a limit's policy in a few words.
func ruleOf(l limitStatus) string {
	words := l.Algorithm.String()
	switch {
	case l.Block:
		return "block"
	case l.Unlimited:
		return "unlimited"
	case l.Algorithm == node.SlidingWindow && l.Resolution > 1:
		words += " in " + strconv.Itoa(l.Resolution)
	case l.TimeZone != "UTC":
		words += ", " + l.TimeZone
	}
	if l.Consistency == node.Local {
		words += ", local"
	}
	switch n := l.OverrideCount; n {
	case 0:
	case 1:
		words += ", 1 override"
	default:
		words += ", " + strconv.Itoa(n) + " overrides"
	}
	return words
}
