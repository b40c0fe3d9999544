package node_test

import (
	"bytes"
	"log/slog"
	"sync"
)

// record is a log that a test reads while nodes write it. The zero value is empty and ready.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// logger writes to the record.
func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// take empties the record.
func (r *record) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.text.Reset()
	return r.text.String()
}
