package httpapi

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"names": func(m map[string]limitStatus) []string { return slices.Sorted(maps.Keys(m)) },
	"units": func(u float64) string { return strconv.FormatFloat(u, 'f', 1, 64) },
}).Parse(pageSource))

// page is for people who find the address.
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
