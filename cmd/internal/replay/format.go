package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Format is the form of a log's lines. It is a flag.Value.
type Format string

// The formats. In each, a line names one address or host as its client, a time with its zone,
// and the status of the answer. Every other line is bad.
const (
	// Auto takes the format that reads the most of a log's first lines.
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

// parse reads client and time from one line. ok is false for a line that is not of the format.
func (f Format) parse(line string) (client string, at time.Time, ok bool) {
	// Each file begins with a mark, and somebody may have joined several files.
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

// claims reports whether a line speaks for a format. A line of Combined, Syslog or JSON is of no
// other format. A line of Vhost could also have the client first and then the site. So only a
// line with a site's name before an address speaks for Vhost.
func (f Format) claims(line string) bool {
	_, _, ok := f.parse(line)
	return ok && (f != Vhost || surelyVhost(strings.TrimPrefix(line, byteOrderMark)))
}

// sampled caps the lines that decide on a log's format. Raising it costs memory. Lowering it
// risks that the first lines are of another kind than the rest.
const sampled = 100

// recognise returns the format for which most of the lines speak. If several are equal, it is the
// first of them in Formats. It is Auto if no line speaks for any.
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
