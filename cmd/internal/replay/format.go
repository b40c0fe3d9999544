package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Format is how the lines of a log are written. It is a flag.Value.
type Format string

// The formats. In each, a line names one address or host as its client, a time with
// its zone, and the status of the answer; all else is a bad line.
const (
	// Auto is the format that reads most of a log's first lines.
	Auto Format = "auto"
	// Combined is Apache's and nginx's default, or the common format within it.
	Combined Format = "combined"
	// Vhost has the site, with or without its port, before the client.
	Vhost Format = "vhost"
	// Syslog is combined after a header of RFC 3164 or RFC 5424, or journald's.
	Syslog Format = "syslog"
	// JSON is one object a line, with fields as jsonClients, jsonTimes and jsonStatuses say.
	JSON Format = "json"
)

// Formats lists all formats, Auto first.
func Formats() []Format { return []Format{Auto, Combined, Vhost, Syslog, JSON} }

// String implements flag.Value.
func (f Format) String() string { return string(f) }

// Set implements flag.Value.
func (f *Format) Set(s string) error {
	if !slices.Contains(Formats(), Format(s)) {
		return fmt.Errorf("must be %s", oneOf(Formats()))
	}
	*f = Format(s)
	return nil
}

// oneOf lists formats for people.
func oneOf(formats []Format) string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// parse takes what a replay needs from one line: who asked, and when. ok is false for
// a line that is not of the format.
func (f Format) parse(line string) (client string, at time.Time, ok bool) {
	// Files that were put together may each begin with a mark.
	line = strings.TrimPrefix(line, byteOrderMark)
	switch f {
	case Combined:
		return parseCombined(line)
	case Vhost:
		return parseVhost(line)
	case Syslog:
		if message, header := cutSyslog(line); header {
			return parseCombined(message)
		}
	case JSON:
		return parseJSON(line)
	}
	return "", time.Time{}, false
}

// claims reports whether a line speaks for a format. A line of Combined, Syslog or
// JSON is of no other format. A line of Vhost can also be one that has the client
// first, so only a site that has a name, before an address, speaks for it.
func (f Format) claims(line string) bool {
	_, _, ok := f.parse(line)
	return ok && (f != Vhost || surelyVhost(strings.TrimPrefix(line, byteOrderMark)))
}

// sampled is how many lines at most decide on a log's format. More of them cost memory,
// fewer can all be of another kind than the rest.
const sampled = 100

// recognise is the format that most of the lines speak for, the first of Formats where
// several do; Auto if none does.
func recognise(lines []string) Format {
	best, most := Auto, 0
	for _, f := range Formats()[1:] {
		n := 0
		for _, line := range lines {
			if f.claims(line) {
				n++
			}
		}
		if n > most {
			best, most = f, n
		}
	}
	return best
}
