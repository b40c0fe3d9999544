package httpapi

import (
	"net/http"
	"slices"
	"strings"
)

// route is a path, as net/http and OpenAPI write it, and its handlers.
type route struct {
	path    string
	methods methods
}

// routes are all paths of the server, those of metrics and the dashboard if there are such.
// openapi.yaml describes each.
func (a *api) routes(metrics, dashboard http.Handler) []route {
	all := []route{
		{"/v1/take", methods{http.MethodPost: a.take}},
		{"/v1/batch", methods{http.MethodPost: a.batch}},
		{"/v1/peek", methods{http.MethodGet: a.peek}},
		{"/v1/charge", methods{http.MethodPost: a.charge}},
		{"/v1/reserve", methods{http.MethodPost: a.reserve}},
		{"/v1/commit", methods{http.MethodPost: a.commit}},
		{"/v1/cancel", methods{http.MethodPost: a.cancel}},
		{"/v1/refund", methods{http.MethodPost: a.write(a.refund)}},
		{forwardPath + "{limit}", methods{http.MethodGet: a.forward}},
		{forwardPath + "{limit}/{options}/{path}", methods{http.MethodGet: a.forward}},
		{"/v1/reset", methods{http.MethodPost: a.write(a.reset)}},
		{"/v1/forget", methods{http.MethodPost: a.write(a.forget)}},
		{"/v1/limits", methods{http.MethodGet: a.listLimits}},
		{"/v1/limits/{name}", methods{
			http.MethodGet: a.getLimit, http.MethodPut: a.write(a.putLimit), http.MethodDelete: a.write(a.deleteLimit),
		}},
		{"/v1/status", methods{http.MethodGet: a.status}},
		{"/v1/top", methods{http.MethodGet: a.top}},
		{"/v1/shadow", methods{http.MethodGet: a.shadow}},
		{"/v1/explain", methods{http.MethodGet: a.explain}},
		{"/livez", methods{http.MethodGet: a.livez}},
		{"/readyz", methods{http.MethodGet: a.readyz}},
		{"/openapi.yaml", methods{http.MethodGet: openAPI}},
	}
	if dashboard != nil {
		for _, path := range []string{"/", "/ui/{file}", "/v1/events"} {
			all = append(all, route{path, methods{http.MethodGet: dashboard.ServeHTTP}})
		}
	}
	if metrics != nil {
		all = append(all, route{"/metrics", methods{http.MethodGet: metrics.ServeHTTP}})
	}
	return all
}

// methods are the handlers of one path, by method. HEAD is GET without the body.
type methods map[string]http.HandlerFunc

// ServeHTTP calls the method's handler. No answer may be kept by a cache, unless its handler says
// otherwise.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h, ok := m[method]
	if !ok {
		w.Header().Set("Allow", strings.Join(m.allowed(), ", "))
		(&problem{Status: http.StatusMethodNotAllowed, Detail: r.Method + " is not for this path: use " + strings.Join(m.allowed(), " or ")}).write(w)
		return
	}
	w.Header()["Cache-Control"] = notStored
	h(w, r)
}

// notStored is a Cache-Control. Nobody may change it.
var notStored = []string{"no-store"}

// allowed lists the methods, for the header Allow.
func (m methods) allowed() []string {
	var all []string
	for method := range m {
		all = append(all, method)
		if method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	slices.Sort(all)
	return all
}
