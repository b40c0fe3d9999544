package replay

import (
	"strings"
	"testing"
	"time"
)

func TestALineIsReadOrRefused(t *testing.T) {
	at := time.Date(2026, time.May, 17, 10, 5, 3, 0, time.UTC)
	const rest = ` 200 512 "-" "curl/8"`
	for _, c := range []struct {
		name, line, client string
		at                 time.Time // zero: refused
	}{
		{"combined", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "192.0.2.7", at},
		{"common", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 304 -`, "192.0.2.7", at},
		{"status at the end", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 304`, "192.0.2.7", at},
		{"other zone", `192.0.2.7 - - [17/May/2026:12:05:03 +0200] "GET / HTTP/1.1"` + rest, "192.0.2.7", at},
		{"IPv6", `2001:db8::1 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/2.0"` + rest, "2001:db8::1", at},
		{"host name", `crawler.example - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "crawler.example", at},
		{"user with brackets", `192.0.2.7 - a[b]c [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "192.0.2.7", at},
		{"escaped quote in the request", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /\" 200 HTTP/1.1"` + rest, "192.0.2.7", at},
		{"TLS bytes as the request", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "\x16\x03" 400 0 "-" "-"`, "192.0.2.7", at},
		{"empty request", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "" 408 0 "-" "-"`, "192.0.2.7", at},

		{"empty", "", "", time.Time{}},
		{"no address", ` - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"address unknown to the server", `- - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"host longer than there are", strings.Repeat("a", 254) + ` - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"no time", `192.0.2.7 - - "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"no such day", `192.0.2.7 - - [32/May/2026:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"later than nanoseconds can tell", `192.0.2.7 - - [17/May/2926:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"before 1970", `192.0.2.7 - - [17/May/1926:10:05:03 +0000] "GET / HTTP/1.1"` + rest, "", time.Time{}},
		{"cut off in the request", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /`, "", time.Time{}},
		{"cut off before the status", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" `, "", time.Time{}},
		{"status of letters", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" abc 0`, "", time.Time{}},
		{"ends in a backslash", `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /\`, "", time.Time{}},
		{"JSON", `{"ip":"192.0.2.7","t":"17/May/2026:10:05:03 +0000"}`, "", time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, got, ok := parseCombined(c.line)
			if ok == c.at.IsZero() || client != c.client || (ok && !got.Equal(c.at)) {
				t.Errorf("%q: got %q, %v, %v", c.line, client, got, ok)
			}
		})
	}
}
