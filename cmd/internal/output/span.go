package output

import (
	"strings"
	"time"
)

// Span is a length of time without its parts that are zero: 1h, not 1h0m0s.
func Span(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
