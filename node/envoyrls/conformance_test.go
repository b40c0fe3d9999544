package envoyrls_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/rlstest"
)

// TestConformance asks all cases through gRPC. integration/envoy asks them of
// envoyproxy/ratelimit.
func TestConformance(t *testing.T) {
	cases, err := rlstest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 80 {
		t.Fatalf("there are %d cases, want 80 at least", len(cases))
	}
	var all []envoyrls.File
	for i := range cases {
		name, text := cases[i].File()
		all = append(all, envoyrls.File{Name: name, Text: []byte(text)})
	}
	rules, err := envoyrls.Read(all, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := openNode(t)
	client, _ := serve(t, envoyrls.New(envoyrls.Config{Node: n, Rules: rules}))
	for i := range cases {
		t.Run(cases[i].Name, func(t *testing.T) {
			if len(cases[i].Asks) == 0 {
				t.Fatal("nothing is asked")
			}
			for _, fault := range cases[i].Run(t.Context(), client, false) {
				t.Error(fault)
			}
		})
	}
}
