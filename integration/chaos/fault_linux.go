package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// fault is one kind of thing that befalls a cluster. do causes it, lasts, and mends it; the run
// waits afterwards until the nodes have found each other.
type fault struct {
	name    string
	network string // only there; "" is everywhere
	do      func(ctx context.Context, r *run, rnd *rand.Rand) (what string, err error)
}

// faults are all kinds. A run takes each kind in an order that its seed draws.
var faults = []fault{
	{"kill", "", killOne},
	{"freeze", "", freezeOne},
	{"rolling restart", "", restartAll},
	{"cut", "", cutGroups},
	{"one-way cut", "", deafenOne},
	{"partial cut", "", cutPair},
	{"link down", "", downOne},
	{"loss", "", loseSome},
	{"narrow link", "", narrowOne},
	{"full disk", "", fillOne},
	{"clock set", "", setOne},
	{"clock set beyond the tolerance", "", setOneFar},
	{"late messages", "server", delayAll},
	{"server killed", "server", killServer},
	{"server frozen", "server", freezeServer},
}

// lasting draws how long a fault lasts.
func lasting(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int64N(int64(most-least)))
}

func (r *run) victim(rnd *rand.Rand) *daemon { return r.daemons[rnd.IntN(len(r.daemons))] }

// pause waits, unless the run ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// killOne kills a node without warning, and starts it again.
func killOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, down := r.victim(rnd), lasting(rnd, 100*time.Millisecond, 5*time.Second)
	what := fmt.Sprintf("%s killed, away for %v", d.name, down.Round(time.Millisecond))
	back := d.leave()
	defer back()
	r.blindBoth(d.index)
	if err := d.kill(); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, r.startAgain(ctx, d)
}

// freezeOne stops a process and lets it go on.
func freezeOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, down := r.victim(rnd), lasting(rnd, time.Second, 7*time.Second)
	what := fmt.Sprintf("%s frozen for %v", d.name, down.Round(time.Millisecond))
	back := d.leave()
	defer back()
	r.blindBoth(d.index)
	if err := d.signal(syscall.SIGSTOP); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, d.signal(syscall.SIGCONT)
}

// restartAll restarts the nodes one after the other, in order.
func restartAll(ctx context.Context, r *run, _ *rand.Rand) (string, error) {
	const what = "rolling restart"
	for _, d := range r.daemons {
		back := d.leave()
		r.blindBoth(d.index)
		err := d.stop()
		if err == nil {
			err = r.startAgain(ctx, d)
		}
		back()
		if err != nil {
			return what, err
		}
		r.mend(ctx, "the restart of "+d.name)
		r.see()
	}
	return what, nil
}

// between has node k drop what node j sends, or what comes from the server if there is one.
func (r *run) between(k, j *daemon) error {
	r.blind(k.index, j.index)
	if r.server == nil {
		return deafen(k.name, "ip saddr "+address(j.index))
	}
	return deafen(k.name, fmt.Sprintf("ip saddr %s tcp sport %d", here, proxyPort(k.index)))
}

// hearAll ends what between and others began.
func (r *run) hearAll() error {
	for _, d := range r.daemons {
		if err := hear(d.name); err != nil {
			return err
		}
	}
	return nil
}

// cutGroups cuts the cluster in two groups that do not hear each other. With a server, one group
// has none.
func cutGroups(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	size, down := 1+rnd.IntN(len(r.daemons)-1), lasting(rnd, 2*time.Second, 9*time.Second)
	order := rnd.Perm(len(r.daemons))
	one, other := order[:size], order[size:]
	what := fmt.Sprintf("%v and %v cut apart for %v", one, other, down.Round(time.Millisecond))
	for _, a := range one {
		for _, b := range other {
			if err := r.between(r.daemons[a], r.daemons[b]); err != nil {
				return what, err
			}
			r.blind(b, a)
			if r.server == nil {
				if err := r.between(r.daemons[b], r.daemons[a]); err != nil {
					return what, err
				}
			}
		}
		if r.server != nil {
			r.blindBoth(a)
		}
	}
	pause(ctx, down)
	return what, r.hearAll()
}

// deafenOne lets a node hear nobody, while what it sends still arrives.
func deafenOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, down := r.victim(rnd), lasting(rnd, 2*time.Second, 9*time.Second)
	what := fmt.Sprintf("%s deaf for %v", d.name, down.Round(time.Millisecond))
	r.blindBoth(d.index) // a connection without acknowledgements stops the other way too
	for _, other := range r.daemons {
		if other != d {
			if err := r.between(d, other); err != nil {
				return what, err
			}
		}
	}
	pause(ctx, down)
	return what, r.hearAll()
}

// cutPair cuts two nodes that both hear all others.
func cutPair(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	order, down := rnd.Perm(len(r.daemons)), lasting(rnd, 2*time.Second, 9*time.Second)
	a, b := r.daemons[order[0]], r.daemons[order[1]]
	what := fmt.Sprintf("%s and %s do not hear each other for %v", a.name, b.name, down.Round(time.Millisecond))
	if r.server != nil {
		r.blindBoth(a.index)
		r.blindBoth(b.index)
	}
	if err := r.between(a, b); err != nil {
		return what, err
	}
	if err := r.between(b, a); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, r.hearAll()
}

// downOne takes a host off the network, for its clients too.
func downOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, down := r.victim(rnd), lasting(rnd, time.Second, 8*time.Second)
	what := fmt.Sprintf("link of %s down for %v", d.name, down.Round(time.Millisecond))
	back := d.leave()
	defer back()
	r.blindBoth(d.index)
	if err := sh("ip link set to-" + d.name + " down"); err != nil {
		return what, err
	}
	pause(ctx, down)
	if err := sh("ip link set to-" + d.name + " up"); err != nil {
		return what, err
	}
	pause(ctx, 2*time.Second) // until connections of clients have sent again what was lost
	return what, nil
}

// loseSome loses some of what nodes send to one.
func loseSome(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, part, down := r.victim(rnd), 5+rnd.IntN(25), lasting(rnd, 3*time.Second, 8*time.Second)
	what := fmt.Sprintf("%s loses %d %% for %v", d.name, part, down.Round(time.Millisecond))
	r.blindBoth(d.index) // until it is sent again, for which there is no bound
	match := "ip saddr != " + here
	if r.server != nil {
		match = fmt.Sprintf("tcp sport %d", proxyPort(d.index))
	}
	if err := deafen(d.name, match+fmt.Sprintf(" numgen random mod 100 < %d", part)); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, r.hearAll()
}

// narrowOne leaves a host a narrow link.
func narrowOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, kbit, down := r.victim(rnd), 128+rnd.IntN(512), lasting(rnd, 3*time.Second, 8*time.Second)
	what := fmt.Sprintf("%s has %d kbit/s for %v", d.name, kbit, down.Round(time.Millisecond))
	back := d.leave()
	defer back()
	r.blindBoth(d.index)
	in := "ip netns exec " + d.name + " tc qdisc "
	if err := sh(in + fmt.Sprintf("add dev eth0 root tbf rate %dkbit burst 16kbit latency 500ms", kbit)); err != nil {
		return what, err
	}
	pause(ctx, down)
	err := sh(in + "del dev eth0 root")
	pause(ctx, time.Second)
	return what, err
}

// fillOne fills a state directory's disk, kills the node on it, and starts it again on the full
// disk.
func fillOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d := r.victim(rnd)
	what := "disk of " + d.name + " full, and killed on it"
	if err := d.fill(); err != nil {
		return what, err
	}
	pause(ctx, lasting(rnd, 2*time.Second, 5*time.Second))
	back := d.leave()
	defer back()
	r.blindBoth(d.index)
	if err := d.kill(); err != nil {
		return what, err
	}
	if err := r.startAgain(ctx, d); err != nil {
		return what, err
	}
	return what, d.empty()
}

// setOne sets a clock by less than nodes tolerate.
func setOne(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, by := r.victim(rnd), lasting(rnd, -nearClock, nearClock)
	what := fmt.Sprintf("clock of %s set to %v off", d.name, by.Round(time.Millisecond))
	if err := d.setClock(by); err != nil {
		return what, err
	}
	pause(ctx, lasting(rnd, 3*time.Second, 6*time.Second))
	return what, nil
}

// setOneFar sets a clock ahead by more than nodes tolerate, and then right: its peers refuse
// what it counts, and it starts again.
func setOneFar(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	d, by := r.victim(rnd), lasting(rnd, 1500*time.Millisecond, 4*time.Second)
	what := fmt.Sprintf("clock of %s %v ahead for a while", d.name, by.Round(time.Millisecond))
	before := d.offset
	r.blindBoth(d.index)
	r.lose(int(d.life.Load()), r.now()-staleness) // its peers refuse what it counts
	d.life.Store(int32(r.begin(d.index)))         //nolint:gosec // a few
	if err := d.setClock(before + by); err != nil {
		return what, err
	}
	pause(ctx, lasting(rnd, 2*time.Second, 4*time.Second))
	back := d.leave() // it may start again
	defer back()
	if err := d.setClock(before); err != nil {
		return what, err
	}
	pause(ctx, by+6*time.Second)
	return what, nil
}

// delayAll lets all messages be late.
func delayAll(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	delay, down := lasting(rnd, 20*time.Millisecond, 400*time.Millisecond), lasting(rnd, 3*time.Second, 8*time.Second)
	what := fmt.Sprintf("messages late by twice %v for %v", delay.Round(time.Millisecond), down.Round(time.Millisecond))
	for _, d := range r.daemons {
		r.blindBoth(d.index)
	}
	for _, p := range r.proxies {
		p.delay.Store(int64(delay))
	}
	pause(ctx, down)
	for _, p := range r.proxies {
		p.delay.Store(0)
	}
	return what, nil
}

// killServer kills the NATS server, and starts it again.
func killServer(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	down := lasting(rnd, 500*time.Millisecond, 8*time.Second)
	what := fmt.Sprintf("NATS server killed, away for %v", down.Round(time.Millisecond))
	for _, d := range r.daemons {
		r.blindBoth(d.index)
	}
	if err := r.server.kill(); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, r.server.start()
}

// freezeServer stops the NATS server, and lets it go on.
func freezeServer(ctx context.Context, r *run, rnd *rand.Rand) (string, error) {
	down := lasting(rnd, time.Second, 8*time.Second)
	what := fmt.Sprintf("NATS server frozen for %v", down.Round(time.Millisecond))
	for _, d := range r.daemons {
		r.blindBoth(d.index)
	}
	if err := r.server.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return what, err
	}
	pause(ctx, down)
	return what, r.server.cmd.Process.Signal(syscall.SIGCONT)
}

// plan is the order of faults for a seed, of those that the network and the choice allow.
func plan(rnd *rand.Rand, network, only string) (all []*fault) {
	for _, i := range rnd.Perm(len(faults)) {
		f := &faults[i]
		if (f.network == "" || f.network == network) && (only == "" || strings.Contains(f.name, only)) {
			all = append(all, f)
		}
	}
	return all
}
