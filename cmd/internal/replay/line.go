package replay

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

const (
	timeLayout    = "02/Jan/2006:15:04:05 -0700"
	byteOrderMark = "\ufeff"
)

// parseCombined reads a line of the combined (or common) log format of Apache and nginx:
//
//	192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"
//
// Exactly two fields stand between client and time, and neither is an address. Otherwise the
// first field may be a site, a proxy or a date, and the client would be another field. The
// fields after the status do not matter.
func parseCombined(line string) (client string, at time.Time, ok bool) {
	fields, at, ok := head(line, 3)
	if !ok || isAddress(fields[1]) || isAddress(fields[2]) {
		return "", time.Time{}, false
	}
	client, ok = addressOrHost(fields[0])
	if !ok {
		return "", time.Time{}, false
	}
	return client, at, true
}

// parseVhost reads a line that begins with the site, with or without a port, and then has the
// client, as in Apache's vhost_combined:
//
//	www.example.com:443 192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"
func parseVhost(line string) (client string, at time.Time, ok bool) {
	fields, at, ok := head(line, 4)
	if !ok || isAddress(fields[2]) || isAddress(fields[3]) {
		return "", time.Time{}, false
	}
	client, ok = addressOrHost(fields[1])
	switch site := fields[0]; {
	case !ok, !isAddress(site) && !isSite(site):
		return "", time.Time{}, false
	case isAddress(site) && !isAddress(client): // the client, and then its site
		return "", time.Time{}, false
	}
	return client, at, true
}

// surelyVhost reports whether a line has the site first, and can be of no other format.
func surelyVhost(line string) bool {
	fields, _, ok := head(line, 4)
	return ok && isSite(fields[0]) && isAddress(fields[1])
}

// head reads the n fields before the time, and the time. ok is false if the line has another
// number of fields there, or if no request with a status follows.
func head(line string, n int) (fields [4]string, at time.Time, ok bool) {
	rest := line
	for i := range n {
		fields[i], rest, ok = strings.Cut(rest, " ")
		if !ok || fields[i] == "" {
			return fields, time.Time{}, false
		}
	}
	rest, bracket := strings.CutPrefix(rest, "[")
	stamp, rest, quoted := strings.Cut(rest, `] "`)
	if !bracket || !quoted {
		return fields, time.Time{}, false
	}
	at, err := time.Parse(timeLayout, stamp)
	if err != nil || !inRange(at) || !hasStatus(rest) {
		return fields, time.Time{}, false
	}
	return fields, at, true
}

// inRange reports whether a server can have logged the time: after 1970, and before the year in
// which 64 bits of nanoseconds end.
func inRange(at time.Time) bool { return at.Unix() > 0 && at.Year() < 2262 }

// hasStatus reports whether a quoted request ends in s and three digits follow.
// Both servers escape quotes inside, as \" or \x22.
func hasStatus(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			status, _, _ := strings.Cut(strings.TrimPrefix(s[i+1:], " "), " ")
			return isStatus(status)
		}
	}
	return false
}

func isStatus(s string) bool { return len(s) == 3 && strings.Trim(s, "0123456789") == "" }

// addressOrHost is a client as a log names it: an address in its canonical form, or a
// host's name.
func addressOrHost(field string) (client string, ok bool) {
	if a, ok := parseAddress(field); ok {
		return a, true
	}
	return field, isHost(field)
}

func isAddress(s string) bool {
	_, ok := parseAddress(s)
	return ok
}

// parseAddress reads an address as limits do, so that a replay tells clients apart as a node
// would. All spellings of an address come to the same text.
func parseAddress(s string) (text string, ok bool) {
	a, ok := limit.ParseAddress(s)
	if !ok {
		return "", false
	}
	return a.String(), true
}

// isSite reports whether s is a host's name, which may carry a port.
func isSite(s string) bool {
	host, port, some := strings.Cut(s, ":")
	if some {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
	}
	return isHost(host)
}

// hostName matches letters, digits, _ and - in parts between dots. The last part needs a letter,
// so that a broken address or a date is no host.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_-]+\.)*[0-9_-]*[A-Za-z_][A-Za-z0-9_-]*$`)

// mostHost is the longest name that DNS has, in bytes.
const mostHost = 253

func isHost(s string) bool { return len(s) <= mostHost && hostName.MatchString(s) }
