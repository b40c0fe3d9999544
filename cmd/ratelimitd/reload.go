package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// configurable is the node, as a reload needs it.
type configurable interface {
	Configure(limits map[string]node.Policy) (from time.Time, err error)
	Stats() node.Stats
}

// reloader reads the settings again, and gives the node their limits. It is for one goroutine.
type reloader struct {
	by   call
	file string // "" if there is none
	text []byte // of the file, as it was taken over last
	node configurable
	// plan has the limits that were taken over last, and the other settings as they are in force.
	plan *plan

	successful, at prometheus.Gauge
	reloads        *prometheus.CounterVec
}

func newReloader(by call, o *options, p *plan) *reloader {
	r := &reloader{
		by: by, file: o.file, text: o.text, plan: p,
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ratelimiter_config_last_reload_successful", Help: "1 if the node took over the configuration that it last read, 0 while older limits go on.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ratelimiter_config_last_reload_success_timestamp_seconds", Help: "Time at which the node last took over a configuration, at the start or later.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ratelimiter_config_reloads_total", Help: "Times that the node read its configuration again, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{"success", "failure"} {
		r.reloads.WithLabelValues(result)
	}
	r.successful.Set(1)
	r.at.SetToCurrentTime()
	return r
}

func (r *reloader) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.successful, r.at, r.reloads}
}

// watch sends on the channel when the file changes, until ctx is done. It may merge changes.
func (r *reloader) watch(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	if r.file == "" {
		return changes
	}
	go config.Watch(ctx, r.file, r.text, 0, func([]byte, time.Time) {
		select {
		case changes <- struct{}{}:
		default: // a reload is due already, and reads the newest content
		}
	})
	return changes
}

// reload reads everything again, as a start does, and changes the limits. With any fault it changes
// nothing, and the last good limits go on.
func (r *reloader) reload(why string) {
	if r.file == "" {
		r.plan.log.Warn("nothing to reload: there is no -config file, and flags and environment do not change; PUT /v1/limits/NAME changes limits")
		return
	}
	changed, err := r.take()
	if err != nil {
		r.successful.Set(0)
		r.reloads.WithLabelValues("failure").Inc()
		r.plan.log.Error("configuration not reloaded: the last good one goes on", "why", why, "file", r.file, "error", oneLine(err))
		return
	}
	r.successful.Set(1)
	r.at.SetToCurrentTime()
	r.reloads.WithLabelValues("success").Inc()
	r.plan.log.Info("configuration reloaded", "why", why, "file", r.file, "limits_changed", strings.Join(changed, ","))
}

// take gives the node the limits of the settings, and returns the names of those that changed.
func (r *reloader) take() (changed []string, err error) {
	o, err := parse(r.by)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(o.text)) == 0 && len(bytes.TrimSpace(r.text)) > 0 {
		return nil, fmt.Errorf("%s is empty, as a file is that is being written", r.file)
	}
	// A setting that would stop the next start is a fault now.
	if _, err := newLogger(&o.settings, io.Discard); err != nil {
		return nil, err
	}
	p, err := newPlan(&o.settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := p.check(context.Background()); err != nil {
		return nil, err
	}
	limits := p.node.Limits
	names := maps.Clone(r.plan.node.Limits)
	maps.Copy(names, limits)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := r.plan.node.Limits[name]
		is, has := limits[name]
		if had != has || !reflect.DeepEqual(was, is) {
			changed = append(changed, name)
		}
	}
	// A node that has nothing new to say must not have the last word.
	if len(changed) > 0 {
		if _, err := r.node.Configure(limits); err != nil {
			return nil, err
		}
		r.plan.node.ConfiguredAt = modified(r.file)
		p.log = r.plan.log
		p.warnOfDoubts(limits)
	}
	r.plan.node.Limits, r.text = limits, o.text
	r.warnOfShadowed(r.node.Stats(), changed)
	if others := r.others(&o.settings); len(others) > 0 {
		r.plan.log.Warn("settings changed that need a restart", "settings", strings.Join(others, ","))
	}
	return changed, nil
}

// warnOfShadowed warns of changes of the file that have no effect, because somebody set the limit.
func (r *reloader) warnOfShadowed(s node.Stats, changed []string) {
	for i := range s.Limits {
		l := &s.Limits[i]
		if !l.Set || !slices.Contains(changed, l.Name) {
			continue
		}
		holds, file := limit.Change(&l.Policy, nil)
		if p, has := r.plan.node.Limits[l.Name]; has {
			holds, file = limit.Change(&l.Policy, &p)
		}
		r.plan.log.Warn("the file's change of this limit is not in force: what somebody set by PUT holds until DELETE /v1/limits/"+l.Name, "limit", l.Name, "in_force", holds, "since", l.Revision.UTC(), "file", file)
	}
}

// ofDefault are the settings that are fields of the limit "default". A reload changes these.
var ofDefault = []string{"limit", "window", "burst", "max_overshoot"}

// others lists the settings that differ and are no limits. They need a restart.
func (r *reloader) others(s *config.Settings) []string {
	var out []string
	now := s.All()
	for i, was := range r.plan.settings.All() {
		if was.Text() != now[i].Text() && !slices.Contains(ofDefault, was.Key) {
			out = append(out, was.Key)
		}
	}
	return out
}

// modified is when a file was last written, zero if that is not known.
func modified(path string) time.Time {
	if path == "" {
		return time.Time{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	if now := time.Now(); info.ModTime().After(now) {
		return now // a wrong clock wrote it
	}
	return info.ModTime()
}
