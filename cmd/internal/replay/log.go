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

// DefaultMaxLines caps a log if the caller gives no cap. Raising it lets a log take more
// memory: 16 bytes for each request, and about 100 and the name for each client. Lowering it
// refuses logs that fit.
const DefaultMaxLines = 20_000_000

// longestLine is the longest line that can be a request, in bytes. A longer line counts as bad,
// since servers cap a request at 8 or 16 KiB. Raising it costs memory for files that have no
// lines; lowering it loses requests with long headers.
const longestLine = 64 << 10

// Log is a web server's access log, as far as a replay needs it.
type Log struct {
	Format     Format    // that the lines were read as; Auto if none was recognised
	Requests   []Request // in order of time
	Clients    []string  // by Request.Client
	Bad        int       // number of bad lines: those that are not of the format
	BadSamples []BadLine // the first bad lines, at most shownLines
}

// BadLine is a line that is not of the log's format.
type BadLine struct {
	Line int    `json:"line"` // from 1
	Text string `json:"text"` // its first shownBytes bytes
}

// String shows the line, with its control characters escaped.
func (b BadLine) String() string { return fmt.Sprintf("line %d: %q", b.Line, b.Text) }

// The report shows this many bad lines, and this many bytes of each. More would repeat the log;
// fewer would not show what is wrong with the format.
const (
	shownLines = 3
	shownBytes = 100
)

// Request is one line of a log.
type Request struct {
	At     int64 // unix nanoseconds
	Client int   // index into Log.Clients
}

// nothing is the error of a log without a request.
func (l *Log) nothing() error {
	if l.Bad == 0 {
		return errors.New("the log is empty")
	}
	known := string(l.Format)
	if l.Format == Auto {
		known = oneOf(Formats()[1:])
	}
	return fmt.Errorf("no line is of the %s format (%d lines of another kind, such as %v)", known, l.Bad, l.BadSamples[0])
}

// Span is the time from the first request to the last, 0 for an empty log.
func (l *Log) Span() time.Duration {
	if len(l.Requests) == 0 {
		return 0
	}
	return time.Duration(l.Requests[len(l.Requests)-1].At - l.Requests[0].At)
}

// Read reads a log of at most maxLines lines (0 is DefaultMaxLines). It recognises a gzipped log
// by its first bytes. It skips and counts bad lines.
//
// Servers write a line when a request ends. So Read sorts the requests by time, and keeps the
// order of lines within an instant. If all times are whole seconds, Read spreads the requests of
// a second evenly over it. Otherwise they would all come at one instant, at which no node can
// know what another admitted.
func Read(r io.Reader, format Format, maxLines int) (*Log, error) {
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
	b := newBuilder(format)
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
		b.add(logLine{line, tooLong})
	}
	return b.log(), nil
}

// logLine is one line. A line that is too long keeps its beginning.
type logLine struct {
	text    string
	tooLong bool
}

// builder makes a Log. It holds the first lines until they show the format.
type builder struct {
	out   Log
	n     int // lines read
	back  []logLine
	index map[string]int // of Log.Clients
}

func newBuilder(format Format) *builder {
	return &builder{out: Log{Format: format}, index: map[string]int{}}
}

func (b *builder) add(line logLine) {
	if b.out.Format != Auto {
		b.read(line)
		return
	}
	if b.back = append(b.back, line); len(b.back) == sampled {
		b.decide()
	}
}

// decide chooses the format by the lines held so far, and reads them.
func (b *builder) decide() {
	var texts []string
	for _, line := range b.back {
		if !line.tooLong {
			texts = append(texts, line.text)
		}
	}
	b.out.Format = recognise(texts)
	for _, line := range b.back {
		b.read(line)
	}
	b.back = b.back[:0]
}

func (b *builder) read(line logLine) {
	b.n++
	client, at, ok := b.out.Format.parse(line.text)
	if !ok || line.tooLong {
		if b.out.Bad++; b.out.Bad <= shownLines {
			b.out.BadSamples = append(b.out.BadSamples, BadLine{b.n, shown(line.text)})
		}
		return
	}
	i, known := b.index[client]
	if !known {
		i = len(b.out.Clients)
		// Cloned, so that the name does not hold on to the whole line.
		client = strings.Clone(client)
		b.index[client] = i
		b.out.Clients = append(b.out.Clients, client)
	}
	b.out.Requests = append(b.out.Requests, Request{At: at.UnixNano(), Client: i})
}

func shown(text string) string {
	if len(text) <= shownBytes {
		return strings.Clone(text)
	}
	return strings.ToValidUTF8(text[:shownBytes], "") + "…"
}

func (b *builder) log() *Log {
	if b.out.Format == Auto {
		b.decide()
	}
	b.out.order()
	return &b.out
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

// order sorts the requests, and spreads those of one second over it if no time is finer.
func (l *Log) order() {
	slices.SortStableFunc(l.Requests, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
	if slices.ContainsFunc(l.Requests, func(r Request) bool { return r.At%int64(time.Second) != 0 }) {
		return
	}
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
