package envoyrls_test

import (
	"os"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/rlstest"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/envoy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryDifferenceIsDocumented(t *testing.T) {
	cases, err := rlstest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	text, named := document(t), 0
	for _, c := range cases {
		for _, a := range c.Asks {
			if (a.There == "") != (a.Because == "") {
				t.Errorf("cases.txt:%d: a difference needs an answer and a reason", a.Line)
			}
			if a.Because == "" {
				continue
			}
			if named++; !strings.Contains(text, "\n| "+a.Because+" | ") {
				t.Errorf("cases.txt:%d: docs/envoy.md has no row %q", a.Line, a.Because)
			}
		}
	}
	if named == 0 {
		t.Error("no case differs")
	}
}

func TestTheRulesInTheDocumentAreRight(t *testing.T) {
	blocks := 0
	block := ""
	for line := range strings.Lines(document(t) + "\n") {
		if inner, ok := strings.CutPrefix(line, "    "); ok {
			block += inner
			continue
		}
		if strings.HasPrefix(block, "domain: ") {
			blocks++
			if _, err := envoyrls.Read([]envoyrls.File{{Name: "docs/envoy.md", Text: []byte(block)}}, envoyrls.Options{}); err != nil {
				t.Error(err)
			}
		}
		block = ""
	}
	if blocks == 0 {
		t.Error("the document shows no rules")
	}
}
