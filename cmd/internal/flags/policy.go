package flags

import (
	"errors"
	"regexp"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// Policy is a flag of a limit: "1000/60s", or the fields of a limit as a configuration file has
// them, such as "limit: 1000, window: 60s, algorithm: sliding_window". The zero value is none.
type Policy struct {
	Policy node.Policy
	text   string
}

var ratePerWindow = regexp.MustCompile(`^([0-9]+)/([A-Za-z0-9.]+)$`)

// tightColon is a field without a blank after its colon. YAML would take both for one word.
var tightColon = regexp.MustCompile(`([{,]\s*[a-z_0-9]+):([^\s:])`)

// policyName stands for the name of the limit, which faults of other fields show.
const policyName = "POLICY"

// String implements flag.Value.
func (p *Policy) String() string { return p.text }

// Given reports whether the flag was set.
func (p *Policy) Given() bool { return p.text != "" }

// Body is the policy as the body of PUT /v1/limits/NAME.
func (p *Policy) Body() ([]byte, error) { return config.LimitBody(p.text, []byte(document(p.text))) }

// Set implements flag.Value.
func (p *Policy) Set(text string) error {
	s := config.Default()
	var policies map[string]node.Policy
	err := s.Parse(policyName, []byte("limits: {"+policyName+": "+document(text)+"}\n"))
	if err == nil {
		policies, err = s.Policies()
	}
	if err != nil {
		says := strings.NewReplacer(policyName+":1: ", "", "limits."+policyName+".", "").Replace(config.OneLine(err))
		return errors.New("must be like 1000/60s, or fields like \"limit: 1000, window: 60s, burst: 100\": " + says)
	}
	p.Policy, p.text = policies[policyName], text
	return nil
}

// document is the text as a YAML mapping.
func document(text string) string {
	text = strings.TrimSpace(text)
	if m := ratePerWindow.FindStringSubmatch(text); m != nil {
		return "{limit: " + m[1] + ", window: " + m[2] + "}"
	}
	if !strings.HasPrefix(text, "{") {
		text = "{" + text + "}"
	}
	if !strings.Contains(text, "[") { // no list of addresses, whose colons mean something else
		text = tightColon.ReplaceAllString(text, "$1: $2")
	}
	return text
}
