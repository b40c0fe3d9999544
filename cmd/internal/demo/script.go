package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// script holds the faults and changes that happen while the load runs. One goroutine calls its
// methods.
type script struct {
	show    *show
	cluster *cluster
	judge   *judge
	next    node.Policy // that the limit becomes
	steps   []step      // by time

	running sync.WaitGroup // work that a step began and does not wait for
	cancel  context.CancelFunc
	alive   context.Context //nolint:containedctx // of what runs

	mu     sync.Mutex
	faults []error
}

type step struct {
	at time.Duration
	do func()
}

// The times of the steps, in hundredths of the duration.
const (
	reportEvery = 10
	changeAt    = 23
	cutAt       = 38
	mendAt      = 63
	killAt      = 74
	restartAt   = 88
)

func newScript(d *show, c *cluster, j *judge, next node.Policy, whole time.Duration) *script {
	s := &script{show: d, cluster: c, judge: j, next: next}
	s.alive, s.cancel = context.WithCancel(context.Background())
	at := func(hundredths int, do func()) {
		s.steps = append(s.steps, step{whole / 100 * time.Duration(hundredths), do})
	}
	for i := reportEvery; i < 100; i += reportEvery {
		at(i, s.report)
	}
	second, third := c.members[1], c.members[2]
	at(changeAt, func() { s.change(second) })
	var cut cutOff
	at(cutAt, func() { cut = s.cut(third) })
	at(mendAt, func() { s.mend(cut) })
	at(killAt, func() { s.kill(second, whole/100*(restartAt-killAt)) })
	slices.SortStableFunc(s.steps, func(a, b step) int { return int(a.at - b.at) })
	return s
}

// advance runs the steps that are due.
func (s *script) advance(now time.Duration) {
	for len(s.steps) > 0 && s.steps[0].at <= now {
		do := s.steps[0].do
		s.steps = s.steps[1:]
		do()
	}
}

// aside runs work that takes a while, such as waiting, beside the load.
func (s *script) aside(do func(ctx context.Context) error) {
	s.running.Go(func() {
		if err := do(s.alive); err != nil {
			s.fault(err)
		}
	})
}

func (s *script) fault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, err)
}

// finish waits for the work under way, and returns its errors.
func (s *script) finish(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.cancel)()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.faults...)
}

// stop ends the work under way.
func (s *script) stop() {
	s.cancel()
	s.running.Wait()
}

func (s *script) report() {
	j := s.judge
	s.show.say("%s requests, %s admitted; one central limiter: %s; E so far %.1f",
		grouped(j.requests), grouped(j.admitted), grouped(j.central), j.e)
}

func (s *script) change(m *member) {
	if _, err := m.node().SetLimit(node.DefaultLimit, s.next); err != nil {
		s.fault(err)
		return
	}
	changes := m.node().Changes()
	s.judge.heard(changes)
	for _, c := range changes {
		s.show.say("%s is told that the limit is %s; on all nodes in %v", m.name, inWords(c.Policy), round(time.Until(c.At)))
	}
	s.aside(func(ctx context.Context) error {
		_, err := until(ctx, joinWithin, func() bool {
			return !slices.ContainsFunc(s.cluster.members[:], func(m *member) bool {
				return m.node().Limits()[node.DefaultLimit].Limit != s.next.Limit
			})
		})
		if err != nil {
			return fmt.Errorf("the new limit does not reach all nodes: %w", err)
		}
		s.show.say("the new limit is in force on all nodes")
		return nil
	})
}

// cutOff is a node whose cable is cut.
type cutOff struct {
	*member
	since  time.Time
	before uint64 // units that it had admitted before
}

func (m *member) admitted() uint64 { return m.node().Stats().Limits[0].Allowed }

func (s *script) cut(m *member) cutOff {
	s.show.say("%s is cut off from the others, and goes on deciding", m.name)
	c := cutOff{m, time.Now(), m.admitted()}
	m.incarnation.Load().cable.cut()
	return c
}

func (s *script) mend(c cutOff) {
	s.show.say("%s is connected again; alone for %v it admitted %d, and its bound rose to %.1f",
		c.name, round(time.Since(c.since)), c.admitted()-c.before, boundOf(c.node()))
	mended := time.Now()
	c.incarnation.Load().cable.mend()
	s.aside(func(ctx context.Context) error {
		took, err := until(ctx, joinWithin, func() bool { return s.cluster.knows(c.member, time.Since(mended)) })
		if err != nil {
			return fmt.Errorf("%s does not find the others again: %w", c.name, err)
		}
		s.show.say("%s knows all that the others admitted meanwhile, after %v; its bound is %.1f", c.name, round(took), boundOf(c.node()))
		return nil
	})
}

func (s *script) kill(m *member, pause time.Duration) {
	s.show.say("%s is killed with its server; what it did not tell yet is lost", m.name)
	m.inService.Store(false)
	s.aside(func(ctx context.Context) error {
		again := time.NewTimer(pause)
		defer again.Stop()
		s.cluster.kill(m)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
		began := time.Now()
		if err := s.cluster.start(ctx, m); err != nil {
			return fmt.Errorf("%s does not start again: %w", m.name, err)
		}
		if _, err := until(ctx, joinWithin, func() bool { return m.node().Ready() == nil }); err != nil {
			return fmt.Errorf("%s does not get ready: %w", m.name, err)
		}
		m.inService.Store(true)
		s.show.say("%s runs again: ready after %v, with what the others know, the new limit included", m.name, round(time.Since(began)))
		return nil
	})
}
