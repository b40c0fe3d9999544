package httpapi

import (
	"net/http"
	"slices"
)

// OpenAPIDocument is what GET /openapi.yaml answers.
func OpenAPIDocument() []byte { return slices.Clone(openAPIDocument) }

// Routes are all methods that are served, by path.
func Routes() map[string][]string {
	out := map[string][]string{}
	for _, r := range (&api{}).routes(http.NotFoundHandler(), http.NotFoundHandler()) {
		for method := range r.methods {
			out[r.path] = append(out[r.path], method)
		}
		slices.Sort(out[r.path])
	}
	return out
}
