package replay

import (
	"strings"
	"time"
)

// cutSyslog returns a line without the header that syslog puts before a program's message. ok is
// false if the line has no such header. The header may be that of RFC 3164, with or without
// priority and host:
//
//	<190>May 17 10:05:03 web-1 nginx[123]: MESSAGE
//
// the same with a time of ISO 8601, as rsyslog and journald write it, or that of RFC 5424:
//
//	<190>1 2026-05-17T10:05:03.123Z web-1 nginx 123 - [data x="y"] MESSAGE
func cutSyslog(line string) (message string, ok bool) {
	rest, priority := cutPriority(line)
	if after, of2009 := strings.CutPrefix(rest, "1 "); of2009 && priority {
		return cut2009(after)
	}
	if len(rest) < len(time.Stamp) {
		return "", false
	}
	if _, err := time.Parse(time.Stamp, rest[:len(time.Stamp)]); err == nil {
		rest, ok = strings.CutPrefix(rest[len(time.Stamp):], " ")
	} else {
		var stamp string
		stamp, rest, ok = strings.Cut(rest, " ")
		ok = ok && isISO(stamp)
	}
	if !ok {
		return "", false
	}
	first, rest, ok := strings.Cut(rest, " ")
	if !ok || strings.HasSuffix(first, ":") { // a program without a host
		return rest, ok
	}
	program, rest, ok := strings.Cut(rest, " ")
	return rest, ok && strings.HasSuffix(program, ":")
}

// cutPriority is a line without a leading <0> to <191>.
func cutPriority(line string) (rest string, some bool) {
	number, rest, some := strings.Cut(line, ">")
	digits, bracket := strings.CutPrefix(number, "<")
	if !some || !bracket || digits == "" || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return line, false
	}
	return rest, true
}

// cut2009 skips the fields of RFC 5424 after the version: time, host, program, process, kind of
// message, and structured data.
func cut2009(rest string) (message string, ok bool) {
	for i := range 5 {
		var field string
		field, rest, ok = strings.Cut(rest, " ")
		if !ok || field == "" || i == 0 && field != "-" && !isISO(field) {
			return "", false
		}
	}
	after, none := strings.CutPrefix(rest, "-")
	if !none {
		after = rest
		for strings.HasPrefix(after, "[") {
			if after, ok = cutData(after); !ok {
				return "", false
			}
		}
		if after == rest {
			return "", false
		}
	}
	message, ok = strings.CutPrefix(after, " ")
	return strings.TrimPrefix(message, byteOrderMark), ok
}

// cutData skips one element, which ends at the first ] that no quotes hold.
func cutData(s string) (rest string, ok bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ']' && !quoted:
			return s[i+1:], true
		}
	}
	return "", false
}

func isISO(s string) bool {
	_, err := parseISO(s)
	return err == nil
}

// parseISO reads a time of ISO 8601 with its zone, with or without a colon in it.
func parseISO(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05Z0700", s)
	}
	return at, err
}
