package config_test

import (
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func TestADocumentOfALimitBecomesABody(t *testing.T) {
	for _, c := range []struct{ document, body string }{
		{"{limit: 5, window: 60}", `{"limit":5,"window":60}`},
		{"limit: 05\nwindow: 1m30s\nmax_overshoot: .5\nshadow: true\n", `{"limit":5,"window":"1m30s","max_overshoot":0.5,"shadow":true}`},
		{"use: 7\nwindow: day\ntime_zone: UTC", `{"use":"7","window":"day","time_zone":"UTC"}`},
		{`
limit: 5
window: "60"
overrides:
  - client: [alice, 7, true, "8"] # plain words are ids, whatever they look like
    limit: &many 1000
  - {cidr: "fd00::/8", use: gold, burst: *many}
  - {prefix: "bot-", block: true}
`, `{"limit":5,"window":"60","overrides":[{"client":["alice","7","true","8"],"limit":1000},{"cidr":"fd00::/8","use":"gold","burst":1000},{"prefix":"bot-","block":true}]}`},
		{"{\n\t\"limit\": 5,\n\t\"window\": 0.5,\n\t\"overrides\": [{\"client\": \"\\ud83d\\ude00\", \"unlimited\": true}]\n}", `{"limit":5,"window":0.5,"overrides":[{"client":"` + "\U0001f600" + `","unlimited":true}]}`},
	} {
		got, err := config.LimitBody("f.yaml", []byte(c.document))
		if err != nil || string(got) != c.body {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.document, err, got, c.body)
		}
	}
}

func TestADocumentOfALimitIsRefusedByLine(t *testing.T) {
	for _, c := range []struct{ document, says string }{
		{"", "f.yaml is empty"},
		{"# nothing", "f.yaml is empty"},
		{"- 5", "f.yaml: must be a mapping"},
		{"null", "f.yaml: must be a mapping"},
		{"limit: 5\n---\nlimit: 6", "more than one document"},
		{"limit: [", "f.yaml:1: did not find"},
		{"overrides:\n\t- {client: a, limit: 5}", "f.yaml:2: found character that cannot start any token: is it a tab? YAML is indented with spaces"},
		{"limit: 5\nwindow: 1d", "f.yaml:2: window \"1d\""},
		{"limit: 5\nlimit: 6", "f.yaml:2: limit is given more than once"},
		{"limit: 5\noverrides:\n  - {client: a, limit: 5}\n  - {cidrr: 10.0.0.0/8, limit: 5}", "f.yaml:4: overrides[1].cidrr is unknown"},
		{"limit: 5\n<<: {window: 60}", "f.yaml:2: \"<<\" is not supported"},
		{"limits: {login: {limit: 5, window: 60}}", "f.yaml:1: limits is unknown"},
	} {
		if got, err := config.LimitBody("f.yaml", []byte(c.document)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %s, %v; want %s", c.document, got, err, c.says)
		}
	}
}
