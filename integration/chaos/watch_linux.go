package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// look is what a daemon said of itself, between two instants.
type look struct {
	asked, answered instant
	degraded        bool
	units           float64 // the bound of hot, +Inf if unknown is told as degraded
}

// status is what the judge reads of GET /v1/status.
type status struct {
	Node struct {
		Ready   bool `json:"ready"`
		Members int  `json:"members"`
		Visible int  `json:"visible"`
	} `json:"node"`
	Degraded bool     `json:"degraded"`
	Reasons  []string `json:"degraded_reasons"`
	Peers    []struct {
		Node    string   `json:"node"`
		State   string   `json:"state"`
		HearsUs bool     `json:"hears_us"`
		Behind  bool     `json:"behind"`
		Stale   *float64 `json:"stale_ms"`
	} `json:"peers"`
	Sync struct {
		Connected bool `json:"connected"`
	} `json:"sync"`
	Bound map[string]struct {
		Units *float64 `json:"units"`
	} `json:"bound"`
	Limits map[string]struct {
		Limit int64 `json:"limit"`
	} `json:"limits"`
}

func (d *daemon) status(ctx context.Context) (s status, err error) {
	text, err := d.get(ctx, "/v1/status")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// together reports whether a daemon is ready, hears all others, and is heard by them, with
// nothing missing.
func (s *status) together(others int) bool {
	alive := 0
	for _, p := range s.Peers {
		if p.State != "alive" {
			continue
		}
		if !p.HearsUs || p.Behind || p.Stale == nil || *p.Stale > 1000 {
			return false
		}
		alive++
	}
	return s.Node.Ready && s.Sync.Connected && alive == others
}

const (
	probePace  = 100 * time.Millisecond
	statusPace = 250 * time.Millisecond
)

// watch asks each daemon for its health and its bounds, until ctx is done.
func (r *run) watch(ctx context.Context) {
	for _, d := range r.daemons {
		client := newClient()
		r.watching.Go(func() {
			r.repeat(ctx, probePace, func() {
				asked := r.now()
				code, err := call(ctx, client, http.MethodGet, d.url+"/readyz", "", nil)
				if ctx.Err() == nil && err == nil && code > 0 {
					r.timed(d, "/readyz", asked, r.now())
				}
			})
		})
		r.watching.Go(func() {
			r.repeat(ctx, statusPace, func() {
				asked := r.now()
				s, err := d.status(ctx)
				if err != nil {
					return
				}
				l := look{asked: asked, answered: r.now(), degraded: s.Degraded}
				if b, ok := s.Bound["hot"]; ok && b.Units != nil {
					l.units = *b.Units
				} else {
					l.degraded = true
				}
				r.mu.Lock()
				r.looks[d.index] = append(r.looks[d.index], l)
				r.mu.Unlock()
			})
		})
	}
	for i := range r.queues {
		if i == r.nodes+1 && r.server == nil {
			continue
		}
		r.watching.Go(func() {
			r.repeat(ctx, queuePace, func() {
				pid := "self"
				switch {
				case i < r.nodes:
					pid = strconv.Itoa(int(r.daemons[i].pid.Load()))
				case i > r.nodes:
					pid = strconv.Itoa(int(r.server.pid.Load()))
				}
				q := queue{r.now(), runQueue(pid)}
				r.mu.Lock()
				r.queues[i] = append(r.queues[i], q)
				r.mu.Unlock()
			})
		})
	}
	// A machine that holds up this process holds up the daemons as well.
	r.watching.Go(func() {
		last := r.now()
		r.repeat(ctx, 10*time.Millisecond, func() {
			now := r.now()
			if gap := now - last; gap > 100*time.Millisecond {
				r.mu.Lock()
				r.stalls = append(r.stalls, span{last, now})
				r.mu.Unlock()
			}
			last = now
		})
	})
}

func (r *run) repeat(ctx context.Context, pace time.Duration, do func()) {
	for tick := time.NewTicker(pace); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			do()
		}
	}
}

// timed notes an answer that took too long, of a daemon that was there.
func (r *run) timed(d *daemon, what string, asked, at instant) {
	if at-asked <= tooLong || d.excused(asked, at) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = append(r.late, lateness{d.index, what, asked, at})
}

// lateness is an answer that took too long.
type lateness struct {
	node      int
	what      string
	asked, at instant
}

// judgeLate refuses the answers that took too long. The time in which the machine did not run this
// process or the daemon, although they were ready to run, does not count: others use it too.
func (r *run) judgeLate() {
	for _, l := range r.late {
		took := l.at - l.asked - waited(r.queues[l.node], l.asked, l.at) - waited(r.queues[r.nodes], l.asked, l.at)
		for _, s := range r.stalls {
			took -= max(0, min(s.to, l.at)-max(s.from, l.asked))
		}
		if took > tooLong {
			r.violate("%s of n%d took %v, of which %v were its own, at %v", l.what, l.node,
				(l.at - l.asked).Round(time.Millisecond), took.Round(time.Millisecond), l.asked.Round(time.Millisecond))
		}
	}
}

// exported is the widest bound that a daemon told around the instant; known is false if none told
// any. Enough is where one was degraded.
func (r *run) exported(at instant, from instant) (units float64, enough, known bool) {
	const around = 2 * time.Second
	take := func(l look) {
		known, enough, units = true, enough || l.degraded, max(units, l.units)
	}
	for _, looks := range r.looks {
		for i, l := range looks {
			before := l.answered <= from && (i+1 == len(looks) || looks[i+1].answered > from)
			after := l.asked >= at && (i == 0 || looks[i-1].asked < at)
			between := l.answered > from && l.asked < at
			if between || (before || after) && max(from-l.answered, l.asked-at) < around {
				take(l)
			}
		}
	}
	return units, enough, known
}

// mend waits until all daemons have found each other, and tells how long that took.
func (r *run) mend(ctx context.Context, what string) time.Duration {
	began := r.now()
	why := ""
	for r.now()-began < patience {
		if why = r.apart(ctx); why == "" {
			return r.now() - began
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.violate("%v after %s the nodes have not found each other: %s", patience, what, why)
	return patience
}

// apart says what keeps the daemons from being together, "" if nothing does.
func (r *run) apart(ctx context.Context) string {
	for _, d := range r.daemons {
		s, err := d.status(ctx)
		if err != nil {
			return d.name + ": " + err.Error()
		}
		if !s.together(len(r.daemons) - 1) {
			return fmt.Sprintf("%s: ready %t, connected %t, degraded by %s, %+v", d.name, s.Node.Ready, s.Sync.Connected, strings.Join(s.Reasons, ", "), s.Peers)
		}
	}
	return ""
}
