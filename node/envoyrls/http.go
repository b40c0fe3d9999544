package envoyrls

import (
	"fmt"
	"io"
	"net/http"
	"slices"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// mostBody caps a request to /json. Raising it lets a client take more memory; lowering it
// refuses requests with many descriptors.
const mostBody = 1 << 20

// json is the service over HTTP: the messages in protobuf's JSON, and the code as a status, as
// envoyproxy/ratelimit has it.
// Whoever reaches the API can ask here. So what undoes a limit needs the right that refuse judges.
func (s *Service) json(w http.ResponseWriter, r *http.Request, refuse func(*http.Request) string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		http.Error(w, "the body cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	req := new(rls.RateLimitRequest)
	if err := protojson.Unmarshal(body, req); err != nil {
		http.Error(w, "the body is no RateLimitRequest in JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	if i := slices.IndexFunc(req.GetDescriptors(), (*ratelimit.RateLimitDescriptor).GetIsNegativeHits); i >= 0 {
		why := "nobody may give units back over HTTP"
		if refuse != nil {
			why = refuse(r)
		}
		if why != "" {
			http.Error(w, fmt.Sprintf("descriptors[%d].is_negative_hits: %s", i, why), http.StatusForbidden)
			return
		}
	}
	answer, err := s.ShouldRateLimit(r.Context(), req)
	if err != nil {
		code := http.StatusBadRequest
		if status.Code(err) != codes.InvalidArgument {
			code = http.StatusServiceUnavailable
		}
		http.Error(w, status.Convert(err).Message(), code)
		return
	}
	text, err := protojson.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.GetOverallCode() == rls.RateLimitResponse_OVER_LIMIT {
		w.WriteHeader(http.StatusTooManyRequests)
	}
	_, _ = w.Write(text) // an error means that the client has gone
}

// healthcheck is OK while clients are to ask this service, and 500 otherwise, as in envoyproxy/ratelimit:
// the probes of its manifests work unchanged.
func (s *Service) healthcheck(w http.ResponseWriter, _ *http.Request) {
	if !s.serving.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "OK") // an error means that the client has gone
}
