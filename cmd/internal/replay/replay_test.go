package replay

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// sample is a generated log around a scraper's first visit: two hours of it, since a
// second of virtual time costs the race detector a few milliseconds of real time.
func sample(t *testing.T, seed uint64, lines int) *Log {
	t.Helper()
	var b bytes.Buffer
	if err := Generate(&b, seed, lines); err != nil {
		t.Fatal(err)
	}
	log, err := Read(&b, Auto, 0)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.IndexFunc(log.Requests, func(r Request) bool { return strings.HasPrefix(log.Clients[r.Client], "2001:") })
	if first < 0 {
		t.Fatalf("seed %d: no scraper in %d lines", seed, lines)
	}
	at := log.Requests[first].At
	log.Requests = slices.DeleteFunc(log.Requests, func(r Request) bool { return r.At < at-int64(time.Hour) || r.At > at+int64(time.Hour) })
	return log
}

func config(seed uint64) Config {
	return Config{
		Policy: limit.Policy{Limit: 30, Window: time.Minute}, Nodes: 3, Spread: Random, Seed: seed,
		Delay: Range{Min: time.Millisecond, Max: 5 * time.Millisecond},
	}
}

func TestThreeNodesAdmitWhatOneLimiterWould(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Config)
		differs bool // the delay is so long that nodes must overshoot
	}{
		{"near", func(*Config) {}, false},
		{"in turn", func(c *Config) { c.Spread = RoundRobin }, false},
		{"far", func(c *Config) { c.Delay = Range{Min: 2 * time.Second, Max: 4 * time.Second} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(1)
			c.change(&cfg)
			r, err := Run(context.Background(), sample(t, 1, 2000), cfg)
			if err != nil {
				t.Fatal(err)
			}
			var table bytes.Buffer
			if err := r.Print(&table); err != nil {
				t.Fatal(err)
			}
			t.Logf("seed %d\n%s", cfg.Seed, table.String())
			if r.Central.Denied < 100 {
				t.Fatalf("only %d requests are over the limit: this sample shows nothing", r.Central.Denied)
			}
			if r.Excess > r.Bound {
				t.Errorf("E = %v is above the bound %v", r.Excess, r.Bound)
			}
			if (r.Excess > 0.5) != c.differs {
				t.Errorf("E = %v", r.Excess)
			}
			// An excess is a debt of each client, not a rate: the totals differ by no
			// more than E for each that was limited.
			most := 1 + int(r.Excess+1)*r.Central.ClientsLimited
			if d := r.Cluster.Admitted - r.Central.Admitted; d > most || d < -most {
				t.Errorf("admitted %d, one limiter %d", r.Cluster.Admitted, r.Central.Admitted)
			}
		})
	}
}

func TestAReplayIsRepeatable(t *testing.T) {
	log := sample(t, 3, 1000)
	table := func(seed uint64) string {
		cfg := config(seed)
		cfg.Choices = DefaultChoices()
		cfg.Delay = Range{Min: 500 * time.Millisecond, Max: 3 * time.Second}
		r, err := Run(context.Background(), log, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Print(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := table(1)
	if again := table(1); again != first {
		t.Errorf("equal seeds differ:\n%s\n%s", first, again)
	}
	if table(2) == first {
		t.Error("another seed changed nothing")
	}
}

func TestAReplayRefusesWhatItCannotDo(t *testing.T) {
	log := sample(t, 1, 50)
	for name, change := range map[string]func(*Config){
		"-nodes":  func(c *Config) { c.Nodes = 0 },
		"-delay":  func(c *Config) { c.Delay = Range{Min: 2, Max: 1} },
		"-spread": func(c *Config) { c.Spread = "somehow" },
		"-flush":  func(c *Config) { c.Flush = time.Second },
		"limit":   func(c *Config) { c.Policy.Limit = 0 },
	} {
		cfg := config(1)
		change(&cfg)
		if _, err := Run(context.Background(), log, cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Run(context.Background(), &Log{}, config(1)); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("a log without a line: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, log, config(1)); err == nil {
		t.Error("an ended context did not end the replay")
	}
}

func TestARangeIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]Range{
		"5ms":       {5 * time.Millisecond, 5 * time.Millisecond},
		"1ms..5ms":  {time.Millisecond, 5 * time.Millisecond},
		"0s..1.5s":  {0, 1500 * time.Millisecond},
		"100µs..1s": {100 * time.Microsecond, time.Second},
	} {
		var r Range
		if err := r.Set(text); err != nil || r != want || r.String() != text {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "5", "1ms-5ms", "1ms..", "..5ms", "1ms..5ms..9ms"} {
		var r Range
		if err := r.Set(text); err == nil {
			t.Errorf("%q was taken for %v", text, r)
		}
	}
}
