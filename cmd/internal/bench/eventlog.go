package bench

import (
	"bufio"
	"encoding/json"
	"io"
	"time"
)

// EventLog writes one JSON object a line for each request and action, so that others can recount
// a load. Times are unix nanoseconds. Requests come in the order of their answers. Make one with
// NewEventLog. For one goroutine.
type EventLog struct {
	out *bufio.Writer
	err error
}

// Event is one line of an event log. Its JSON field names are a contract. A line is either of a
// request, with a client, or of an action, with a name.
type Event struct {
	At     int64  `json:"at"`               // of the answer, or of the action
	Due    int64  `json:"due,omitempty"`    // when the request was due
	Asked  int64  `json:"asked,omitempty"`  // when it was sent
	Client string `json:"client,omitempty"` // whose request it was
	Node   string `json:"node,omitempty"`   // that answered
	Cost   int64  `json:"cost,omitempty"`
	// Verdict is admitted, denied or failed.
	Verdict string `json:"verdict,omitempty"`
	Warmup  bool   `json:"warmup,omitempty"` // the request was due in the warm-up

	Action string `json:"action,omitempty"`
	Error  string `json:"error,omitempty"`
}

// NewEventLog makes a log on w. Call Close at the end.
func NewEventLog(w io.Writer) *EventLog { return &EventLog{out: bufio.NewWriterSize(w, 1<<16)} }

// Close writes what is left. The error is the first of all.
func (l *EventLog) Close() error {
	l.keep(l.out.Flush())
	return l.err
}

func (l *EventLog) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

var verdictNames = [...]string{denied: "denied", admitted: "admitted", failed: "failed"}

func (l *EventLog) request(j *judge, e *event) {
	l.write(Event{
		At: j.begun + int64(e.answered), Due: j.begun + int64(e.due), Asked: j.begun + int64(e.asked),
		Client: j.cfg.client(int(e.client)), Node: j.nodes[e.node].Name, Cost: j.cfg.Cost, Verdict: verdictNames[e.verdict],
		Warmup: e.due < j.cfg.Warmup,
	})
}

func (l *EventLog) action(begun int64, h Happened) {
	l.write(Event{At: begun + int64(h.At/time.Nanosecond), Action: h.Name, Error: h.Error})
}

func (l *EventLog) write(e Event) {
	line, err := json.Marshal(e)
	l.keep(err)
	_, err = l.out.Write(append(line, '\n'))
	l.keep(err)
}
