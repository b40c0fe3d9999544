package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// The limits. Of hot and of the bounded ones, some clients ask for more than they may have, at all
// nodes, without end; of slow, ever new ones ask once, so that what is lost of them no later message
// makes good.
var (
	hot     = gcra.Policy{Limit: 1200, Window: time.Minute, Burst: 20}
	slow    = gcra.Policy{Limit: 200, Window: 20 * time.Minute, Burst: 200}
	bounded = map[string]struct {
		gcra.Policy
		excess float64 // at most, in units
	}{
		"exact": {gcra.Policy{Limit: 600, Window: time.Minute, Burst: 40}, 0},
		"ample": {gcra.Policy{Limit: 600, Window: time.Minute, Burst: 40}, 2},
	}
)

const (
	hotClients = 4
	pace       = 40 * time.Millisecond // of each hot client at each node, and of each bounded limit's
	strewPace  = 20 * time.Millisecond // of one-off clients at each node
	mostStrewn = 2000                  // clients for each node
	// idlePace is how often a rested client sends a burst to all nodes at once: the worst case.
	idlePace = 2 * time.Second
	idlers   = 20 // so that each rests for 40 s
	// tooLong is what no decision and no /readyz may take.
	tooLong = time.Second
)

// load asks the daemons for decisions, until it is stopped.
type load struct {
	run    *run
	client *http.Client
	end    context.CancelFunc
	done   sync.WaitGroup
	asked  atomic.Int64

	mu       sync.Mutex
	accounts map[string]*account
	strewn   []string
	times    []time.Duration // of the answers of nodes that were there
}

func newClient() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}}
}

func (r *run) load() *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{run: r, client: newClient(), end: cancel, accounts: map[string]*account{}}
	for _, d := range r.daemons {
		for i := range hotClients {
			l.every(ctx, pace, func() { l.take(ctx, d, "hot", fmt.Sprintf("hot-%d", i), 1) })
		}
		for limit := range bounded {
			l.every(ctx, pace, func() { l.take(ctx, d, limit, limit+"-busy", 1) })
		}
		n := 0
		l.every(ctx, strewPace, func() {
			client := fmt.Sprintf("once-%d-%d", d.index, n%mostStrewn)
			if n++; n <= mostStrewn {
				l.mu.Lock()
				l.strewn = append(l.strewn, client)
				l.mu.Unlock()
			}
			l.take(ctx, d, "slow", client, 3) // more than the one by which nodes may differ
		})
	}
	n := 0
	l.every(ctx, idlePace, func() {
		var all sync.WaitGroup
		all.Go(func() { l.burst(ctx, "hot", fmt.Sprintf("idle-%d", n%idlers), int(hot.Burst)) })
		for limit, p := range bounded {
			all.Go(func() { l.burst(ctx, limit, fmt.Sprintf("%s-idle-%d", limit, n%idlers), int(p.Burst)) })
		}
		all.Wait()
		n++
	})
	return l
}

// burst sends that many requests to each node at once.
func (l *load) burst(ctx context.Context, limit, client string, size int) {
	var all sync.WaitGroup
	for _, d := range l.run.daemons {
		for range size / 4 {
			all.Go(func() {
				for range 4 {
					l.take(ctx, d, limit, client, 1)
				}
			})
		}
	}
	all.Wait()
}

// every calls do at a pace, on a goroutine of its own. A call that takes longer skips turns.
func (l *load) every(ctx context.Context, pace time.Duration, do func()) {
	l.done.Go(func() {
		for tick := time.NewTicker(pace); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				do()
			}
		}
	})
}

func (l *load) stop() {
	l.end()
	l.done.Wait()
	l.client.CloseIdleConnections()
}

// take asks a daemon for a decision, and books the answer.
func (l *load) take(ctx context.Context, d *daemon, limit, client string, cost int) {
	asked := l.run.now()
	l.asked.Add(1)
	var a struct {
		Allowed bool `json:"allowed"`
	}
	target := fmt.Sprintf("%s/v1/take?limit=%s&client=%s&cost=%d", d.url, limit, client, cost)
	status, err := call(ctx, l.client, http.MethodPost, target, "", &a)
	if ctx.Err() != nil {
		return
	}
	at := l.run.now()
	l.run.timed(d, "a decision", asked, at)
	if err != nil || status != http.StatusOK && status != http.StatusTooManyRequests {
		if !d.excused(asked, at) {
			l.run.violate("%s was there and did not decide: %d, %v", d.name, status, err)
		}
		return
	}
	if !d.excused(asked, at) {
		l.mu.Lock()
		l.times = append(l.times, at-asked)
		l.mu.Unlock()
	}
	if a.Allowed && limit != "slow" {
		l.account(limit, client).add(admission{life: int(d.life.Load()), asked: asked, answered: at})
	}
}

func (l *load) account(limit, client string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[client]
	if a == nil {
		a = &account{limit: limit, client: client}
		l.accounts[client] = a
	}
	return a
}

// quantile is the duration below which that part of the answers came.
func (l *load) quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		return 0
	}
	slices.Sort(l.times)
	return l.times[int(q*float64(len(l.times)-1))]
}

// call sends a request and reads the JSON of the answer, if it is wanted.
func call(ctx context.Context, client *http.Client, method, target, token string, into any) (status int, err error) {
	return send(ctx, client, method, target, token, nil, into)
}

func send(ctx context.Context, client *http.Client, method, target, token string, body io.Reader, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}()
	if into != nil {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	return resp.StatusCode, err
}

// get asks one daemon for a page, within a second.
func (d *daemon) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := d.of.client.Do(req)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	return text, errors.Join(err, resp.Body.Close())
}

// standing is what a client has left at a daemon, and when it will have all of it again.
type standing struct {
	Remaining int64 `json:"remaining"`
	Reset     int64 `json:"reset_after_ms"`
}

func (d *daemon) look(ctx context.Context, limit, client string) (s standing, ok bool) {
	text, err := d.get(ctx, "/v1/peek?limit="+limit+"&client="+url.QueryEscape(client))
	return s, err == nil && json.Unmarshal(text, &s) == nil
}

// agree reports whether all daemons have the same answer for a client, within a unit.
func (r *run) agree(ctx context.Context, limit, client string, p gcra.Policy) bool {
	var least, most standing
	began := time.Now()
	for i, d := range r.daemons {
		s, ok := d.look(ctx, limit, client)
		if !ok {
			return false
		}
		if i == 0 {
			least, most = s, s
		}
		least = standing{min(least.Remaining, s.Remaining), min(least.Reset, s.Reset)}
		most = standing{max(most.Remaining, s.Remaining), max(most.Reset, s.Reset)}
	}
	unit := p.Window / time.Duration(p.Limit)
	slack := time.Since(began) + unit + 2*r.skewNow() + time.Millisecond
	return most.Remaining-least.Remaining <= 1+int64(float64(slack-unit)/float64(unit)) && time.Duration(most.Reset-least.Reset)*time.Millisecond <= slack
}
