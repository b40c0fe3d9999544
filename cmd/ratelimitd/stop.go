package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// stopWithin is how long a stop takes at most once it has drained. With the default drain
	// delay that makes 9 s, since container engines kill after 10 s. A higher one needs their
	// consent; a lower one cuts off slow requests, and the bye where NATS is slow.
	stopWithin = 5 * time.Second
	// closesWithin is the part of it that the node has to tell its peers what they do not know. The
	// rest is for saving counts: raising it leaves less, lowering it gives up a slow NATS sooner.
	closesWithin = 2500 * time.Millisecond
	// answersWithin is the part of stopWithin that requests under way have. The node needs the
	// rest to tell its peers what they do not know.
	answersWithin = 2 * time.Second
)

// stop ends the daemon. It serves on for the delay and says that it is not ready, so that
// clients go elsewhere before nobody listens any more. Then it answers the requests under
// way, tells the peers what they do not know, and says bye.
func (d *daemon) stop(delay time.Duration) error {
	log := d.plan.log
	log.Info("stopping", "drain_delay", delay)
	d.served.stopping.Store(true)
	d.nats.leave()
	d.plan.envoy.stop()
	d.drain(delay)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	d.shut(ctx)
	d.board.Close()             // also if a listener broke before
	d.state.save(d.served.Node) // first, in case the rest takes too long
	d.close(ctx)
	d.counts.stop()
	d.counts.last(ctx, d.served.Node)
	d.state.save(d.served.Node) // a peer may have changed a limit meanwhile
	d.state.note(d.served.Run())
	d.state.saveMembers(d.served.SaveMembers())
	d.state.close()
	log.Info("stopped")
	return nil
}

// close closes the node, and the server that it embeds.
func (d *daemon) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closesWithin)
	defer cancel()
	if err := within(ctx, d.served.Close); err != nil {
		d.plan.log.Warn("the node did not close in order", "error", err)
	}
	if d.embedded == nil {
		return
	}
	if err := within(ctx, d.embedded.Close); err != nil {
		d.plan.log.Warn("the embedded NATS server did not close in order", "error", err)
	}
}

// drain serves on for the delay, and saves meanwhile.
func (d *daemon) drain(delay time.Duration) {
	over := time.NewTimer(delay)
	defer over.Stop()
	saves := time.NewTicker(saveEvery)
	defer saves.Stop()
	for {
		select {
		case <-over.C:
			return
		case err := <-d.failed:
			d.plan.log.Error("a server broke while it drained", "error", err)
		case <-saves.C:
			d.state.save(d.served.Node)
			d.state.note(d.served.Run())
			d.state.saveMembers(d.served.SaveMembers())
		}
	}
}

// shut closes the listeners, and waits for the answers to requests under way.
func (d *daemon) shut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range d.listeners {
		all.Go(func() {
			if err := l.shut(ctx); err != nil {
				d.plan.log.Warn("requests were cut off", "listener", l.name, "error", err)
				_ = l.server.Close()
			}
		})
	}
	all.Go(func() {
		if err := d.grpc.shut(ctx); err != nil {
			d.plan.log.Warn("requests were cut off", "listener", "grpc", "error", err)
		}
	})
	all.Go(d.follower.stop)
	all.Go(d.nats.close)
	all.Wait()
}

// within waits for f until ctx is done. After that f goes on until the process ends.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaving makes each answer of a daemon that stops the last of its connection, so that the
// client's next request finds another node. It cuts no idle connection: the client could
// be sending on it.
func (f *served) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
