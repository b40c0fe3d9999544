package httpapi

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openAPIDocument []byte

// openAPI serves the description of the whole interface. A test compares it with the routes, and each
// answer of the tests with its schemas.
func openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	_, _ = w.Write(openAPIDocument)                    // an error means that the client has gone
}
