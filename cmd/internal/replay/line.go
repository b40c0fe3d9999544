package replay

import (
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

const timeLayout = "02/Jan/2006:15:04:05 -0700"

// parseLine takes what a replay needs from one line of the combined (or common) log
// format of Apache and nginx:
//
//	192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"
//
// ok is false for a line that is not one: no address, no time, or no status after
// the request. What a client can write into a line (user, request, referrer, agent)
// is skipped and not judged.
func parseLine(line string) (client string, at time.Time, ok bool) {
	client, rest, _ := strings.Cut(line, " ")
	if client == "" || client == "-" || len(client) > node.MaxClientID {
		return "", time.Time{}, false
	}
	// The user's name may hold blanks and brackets: the time is what stands in
	// front of the first quote.
	head, rest, quoted := strings.Cut(rest, `] "`)
	if !quoted {
		return "", time.Time{}, false
	}
	_, stamp, _ := cutLast(head, "[")
	at, err := time.Parse(timeLayout, stamp)
	if err != nil || at.Unix() <= 0 {
		return "", time.Time{}, false
	}
	if !hasStatus(rest) {
		return "", time.Time{}, false
	}
	return client, at, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// hasStatus reports whether a quoted request ends in s and three digits follow.
// Both servers escape quotes inside, as \" or \x22.
func hasStatus(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			status, _, _ := strings.Cut(strings.TrimPrefix(s[i+1:], " "), " ")
			return len(status) == 3 && strings.Trim(status, "0123456789") == ""
		}
	}
	return false
}
