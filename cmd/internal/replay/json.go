package replay

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The paths of the fields with client, time and status, in small letters and without _, - and @.
// The first path that a line has counts. The lists leave out headers such as x_forwarded_for,
// because a client can write them.
var (
	jsonClients = []string{
		"clientip", "request.clientip", "client.ip", "clienthost", "remoteip", "request.remoteip", "remoteaddr", "remoteaddress",
		"request.remoteaddr", "clientaddr", "clientaddress", "sourceip", "source.ip", "downstreamremoteaddress", "remotehost", "client", "ip",
	}
	jsonTimes    = []string{"time", "timestamp", "ts", "timeiso8601", "timelocal", "starttime", "startutc", "msec"}
	jsonStatuses = []string{"status", "statuscode", "responsecode", "downstreamstatus", "response.status", "http.response.statuscode"}
)

// parseJSON reads a line that is one JSON object:
//
//	{"time":"2026-05-17T10:05:03.250Z","remote_addr":"192.0.2.7","status":200,"request":"GET / HTTP/1.1"}
//
// The client must be an address. A time is RFC 3339, or as in the combined format, or a
// number of seconds, milliseconds, microseconds or nanoseconds since 1970.
func parseJSON(line string) (client string, at time.Time, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return "", time.Time{}, false
	}
	var object map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&object); err != nil || strings.TrimSpace(line[d.InputOffset():]) != "" {
		return "", time.Time{}, false
	}
	fields := map[string]string{}
	flatten(fields, "", object)
	client, ok = parseAddress(first(fields, jsonClients))
	if !ok || !isStatus(first(fields, jsonStatuses)) {
		return "", time.Time{}, false
	}
	at, ok = parseTime(first(fields, jsonTimes))
	if !ok || !inRange(at) {
		return "", time.Time{}, false
	}
	return client, at, true
}

var plainKey = strings.NewReplacer("_", "", "-", "", "@", "")

// flatten puts the texts and numbers of an object into fields, by path.
func flatten(fields map[string]string, path string, object map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		p := path + plainKey.Replace(strings.ToLower(key))
		var text string
		switch v := object[key].(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case map[string]any:
			flatten(fields, p+".", v)
		}
		// Of two spellings of one key the first in order counts.
		if _, twice := fields[p]; text != "" && !twice {
			fields[p] = text
		}
	}
}

func first(fields map[string]string, paths []string) string {
	for _, p := range paths {
		if text, some := fields[p]; some {
			return text
		}
	}
	return ""
}

// parseTime reads a time in any of the forms that parseJSON takes.
func parseTime(s string) (at time.Time, ok bool) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
		// The size of the number shows its unit, for all times from 1973 to 5138.
		for _, perSecond := range []float64{1, 1e3, 1e6, 1e9} {
			if n < 1e11*perSecond {
				whole, part := math.Modf(n / perSecond)
				return time.Unix(int64(whole), int64(math.Round(part*1e6))*1e3), true
			}
		}
		return time.Time{}, false
	}
	if at, err := parseISO(s); err == nil {
		return at, true
	}
	at, err := time.Parse(timeLayout, s)
	return at, err == nil
}
