package replay

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// DefaultMaxLines caps a log where the caller does not: a request takes 16 bytes,
// a client its name and about 100 more.
const DefaultMaxLines = 20_000_000

// longestLine is the longest line that is looked at, in bytes. A longer one counts
// as bad: servers cap a request at 8 or 16 KiB.
const longestLine = 64 << 10

// Log is a web server's access log, as far as a replay needs it.
type Log struct {
	Requests []Request // in order of time
	Clients  []string  // by Request.Client
	Bad      int       // lines that were not of the format
}

// Request is one line of a log.
type Request struct {
	At     int64 // unix nanoseconds
	Client int   // index into Log.Clients
}

// Span is the time from the first request to the last, 0 for an empty log.
func (l *Log) Span() time.Duration {
	if len(l.Requests) == 0 {
		return 0
	}
	return time.Duration(l.Requests[len(l.Requests)-1].At - l.Requests[0].At)
}

// Read reads a log of at most maxLines lines (0 is DefaultMaxLines), plain or
// gzipped, which shows in its first bytes. Bad lines are skipped and counted.
//
// A log is written as requests end and its times are whole seconds. So the requests
// are put in order of time, those of one second in the order of their lines, and
// spread evenly over that second: replayed all at one instant, no node could know
// what another admitted, which is not what happened.
func Read(r io.Reader, maxLines int) (*Log, error) {
	if maxLines <= 0 {
		maxLines = DefaultMaxLines
	}
	in := bufio.NewReaderSize(r, longestLine)
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		in = bufio.NewReaderSize(z, longestLine)
	}
	log := &Log{}
	index := map[string]int{}
	for n := 0; ; n++ {
		line, tooLong, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("after line %d: %w", n, err)
		}
		if n == maxLines {
			return nil, fmt.Errorf("more than %d lines: replay a part of it, or raise -max-lines", maxLines)
		}
		client, at, ok := parseLine(line)
		if !ok || tooLong {
			log.Bad++
			continue
		}
		i, known := index[client]
		if !known {
			i = len(log.Clients)
			// Cloned, so that the name does not hold on to the whole line.
			client = strings.Clone(client)
			index[client] = i
			log.Clients = append(log.Clients, client)
		}
		log.Requests = append(log.Requests, Request{At: at.UnixNano(), Client: i})
	}
	log.order()
	return log, nil
}

// readLine returns the next line without its end. err is io.EOF only where nothing
// is left.
func readLine(r *bufio.Reader) (line string, tooLong bool, err error) {
	b, more, err := r.ReadLine()
	if err != nil {
		return "", false, err
	}
	line = string(b)
	for more {
		tooLong = true
		if _, more, err = r.ReadLine(); err != nil {
			return "", true, err
		}
	}
	return line, tooLong, nil
}

// order sorts the requests and spreads those of one second over it.
func (l *Log) order() {
	slices.SortStableFunc(l.Requests, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
	for rest := l.Requests; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].At == rest[0].At {
			n++
		}
		for i := range rest[:n] {
			rest[i].At += int64(i) * int64(time.Second) / int64(n)
		}
		rest = rest[n:]
	}
}
