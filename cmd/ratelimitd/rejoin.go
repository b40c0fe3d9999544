package main

import (
	"context"
	"errors"
	"time"
)

// errRejoin ends a run of the daemon that another one follows: a node whose clock was wrong for
// a moment has a time that its peers refuse, and no incarnation's time may step back. The next
// one has the right time, and gets from its peers what they know.
var errRejoin = errors.New("the node's time is ahead of the wall clock")

// rejoinAfter is how many looks in a row, one a second, find the node's time ahead before it
// starts again. Raising it has the node count apart for longer. Lowering it starts the node
// again for a wall clock that stepped back for a moment and was wrong then.
const rejoinAfter = 3

// lookout counts how often in a row the node's time was ahead by more than peers tolerate.
type lookout int

// rejoins takes one look, and reports whether the node is to start again.
func (l *lookout) rejoins(ahead time.Duration) bool {
	if ahead == 0 {
		*l = 0
		return false
	}
	*l++
	return *l >= rejoinAfter
}

// serveOn runs daemons of one plan one after the other, until ctx is done or one of them breaks. A
// rejoin reads no files, since a fault in one would end a daemon that ran: the limits and rules that
// were taken over last go on.
func serveOn(ctx context.Context, p *plan, r *reloader) error {
	for {
		d, err := start(ctx, p, r)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil // told to stop before it ran
		case err != nil:
			return err
		}
		if err := d.serve(ctx); !errors.Is(err, errRejoin) {
			return err
		}
	}
}
