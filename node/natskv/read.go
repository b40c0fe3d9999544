package natskv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// answerWithin is how long the server may take for one answer. Lower gives up on a slow
	// server; higher notices a lost one later.
	answerWithin = 2 * time.Second
	// openWithin is how long the server may take until the first value comes. Lower gives up on a slow
	// server; higher notices a lost one later.
	openWithin = 3 * answerWithin
	// leaveWithin is how long the watcher waits for the end of a subscription.
	leaveWithin = time.Second
	// joinPoll is how often the watcher asks whether its node has joined the cluster. Lower
	// costs CPU at the start; higher delays the first write.
	joinPoll = 100 * time.Millisecond
)

// errAnew ends a reading after which the next one follows at once.
var errAnew = errors.New("read it anew")

// reading is one reading of the bucket, from its beginning.
type reading struct {
	*Watcher
	bucket     jetstream.KeyValue
	reconnects uint64
	complete   bool        // it has every value that the bucket had at its begin
	heard      bool        // something came since the last check
	due        *time.Timer // the next write
	waiting    bool        // for due
}

// read reads the bucket and then follows it. The error says why it ended. It is errAnew if
// nothing is wrong, but the watcher has to read the bucket again.
func (w *Watcher) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(openWithin, cancel)
	r := &reading{Watcher: w, reconnects: w.cfg.Conn.Stats().Reconnects, due: time.NewTimer(time.Hour)}
	defer r.due.Stop()
	var err error
	if r.bucket, err = w.js.KeyValue(ctx, w.cfg.Bucket); err != nil {
		return reason(err)
	}
	status, err := r.status(ctx)
	if err != nil {
		return err
	}
	updates, err := r.bucket.Watch(ctx, prefix+">")
	if err != nil {
		return reason(err)
	}
	defer leave(updates, cancel)
	if !late.Stop() {
		return reason(context.DeadlineExceeded)
	}
	w.contents.begin(status.Created)
	return r.follow(ctx, updates.Updates())
}

// leave ends what comes. Whoever sends it may be waiting to.
func leave(updates jetstream.KeyWatcher, cancel context.CancelFunc) {
	cancel() // which unsubscribes
	enough := time.After(leaveWithin)
	for {
		select {
		case _, more := <-updates.Updates():
			if !more {
				return
			}
		case <-enough:
			return
		}
	}
}

func (r *reading) follow(ctx context.Context, updates <-chan jetstream.KeyValueEntry) error {
	check := time.NewTimer(r.nextCheck())
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case in, more := <-updates:
			if !more {
				return errors.New("the server ended the watch")
			}
			r.hear(in)
		case <-r.due.C:
			r.write()
		case <-check.C:
			if err := r.check(ctx); err != nil {
				return err
			}
			check.Reset(r.nextCheck())
		}
	}
}

// nextCheck is random, so that nodes that started together do not ask together.
func (r *reading) nextCheck() time.Duration { return r.cfg.Check*3/4 + rand.N(r.cfg.Check/2+1) }

// hear takes one value. nil comes after the values that the bucket already had.
func (r *reading) hear(in jetstream.KeyValueEntry) {
	r.heard = true
	if in == nil {
		r.complete = true
		r.contents.done()
		r.current()
	} else if name, ours := nameOf(in.Key()); ours {
		e, err := r.contents.hear(name, in)
		r.tell(name, e, err)
		r.count(func(s *Stats) { s.Limits = r.contents.limits })
	}
	if r.complete && !r.waiting {
		r.schedule()
	}
}

// schedule plans the next write, at a random time that other watchers do not share.
func (r *reading) schedule() {
	r.waiting = true
	r.due.Reset(rand.N(r.cfg.Spread))
}

// write applies the bucket's content to the node, once the node knows what others wrote.
func (r *reading) write() {
	if !r.hasJoined() {
		r.due.Reset(joinPoll)
		return
	}
	r.waiting = false
	if r.apply() {
		r.schedule()
	}
}

// check looks whether the reading still holds.
func (r *reading) check(ctx context.Context) error {
	status, err := r.status(ctx)
	switch {
	case err != nil:
		return err
	case !r.complete && !r.heard:
		return errors.New("the server does not send what is in it")
	case r.reconnects != r.cfg.Conn.Stats().Reconnects:
		return errAnew // what came meanwhile may be lost
	case !status.Created.Equal(r.contents.created):
		return errAnew // it was deleted and made anew
	}
	r.heard = false
	if r.complete && !r.waiting && len(r.compare(r.look())) > 0 {
		// What was read may be old by now, so it is not simply written again.
		r.log.Info("limits are not what the NATS bucket says: reading it again")
		return errAnew
	}
	r.count(func(s *Stats) { s.Checks++ })
	return nil
}

// status asks the server for the bucket's stream.
func (r *reading) status(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	s, err := r.bucket.Status(ctx)
	if err != nil {
		return nil, reason(err)
	}
	b, ok := s.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil, fmt.Errorf("the status of a bucket is a %T", s) // of a library that has changed
	}
	return b.StreamInfo(), nil
}

// reason explains an error to whoever reads the log.
func reason(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return errors.New("there is no such bucket")
	case errors.Is(err, jetstream.ErrBadBucket):
		return errors.New("its stream is no key-value bucket")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return errors.New("the NATS server has no JetStream")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errors.New("no answer: NATS is away, or the user may not ask JetStream")
	default:
		return err
	}
}
