package replay

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// bruteDenials counts by the limiter of package gcra, which shares nothing with the oracle.
func bruteDenials(t *testing.T, n int64, window time.Duration, all []int64) (denied int) {
	t.Helper()
	g, err := gcra.New(gcra.Policy{Limit: n, Window: window, Burst: n})
	if err != nil {
		t.Fatal(err)
	}
	level := gcra.Level{Base: gcra.Never}
	for _, at := range all {
		if g.TAT(level) < at {
			level = gcra.Level{Base: at}
		}
		if ok, _ := g.Admit(level, at, 1); ok {
			level.Count++
		} else {
			denied++
		}
	}
	return denied
}

// TestProposalsAreTheSmallestLimits tries every limit from 1 up, for every client.
func TestProposalsAreTheSmallestLimits(t *testing.T) {
	const seed = 9
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
	log := &Log{}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for c := range 40 {
		log.Clients = append(log.Clients, fmt.Sprint("c", c))
		at := start
		for range 1 + r.IntN(60)*r.IntN(3) {
			if at += r.Int64N(int64(time.Second)); r.IntN(5) == 0 {
				at += r.Int64N(int64(time.Minute))
			}
			if r.IntN(3) == 0 {
				at -= at % int64(time.Second) // instants that many share
			}
			log.Requests = append(log.Requests, Request{At: max(at, start), Client: c})
		}
	}
	log.order()
	all := map[int][]int64{}
	for _, q := range log.Requests {
		all[q.Client] = append(all[q.Client], q.At)
	}
	cfg := config(1)
	cfg.Choices = Choices{Windows{time.Second, 7 * time.Second, time.Minute}, Percents{50, 90, 97.5, 100}}
	result, err := Run(context.Background(), log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Proposals) != 12 {
		t.Fatalf("%d proposals", len(result.Proposals))
	}
	for _, p := range result.Proposals {
		window := time.Duration(p.WindowMS * float64(time.Millisecond))
		meets := func(n int64) (clients, denied, most int) {
			for c := range log.Clients {
				if d := bruteDenials(t, n, window, all[c]); d > 0 {
					clients++
					denied += d
					most = max(most, d)
				}
			}
			return clients, denied, most
		}
		allowed := len(log.Clients) - int(math.Ceil(p.Percent/100*float64(len(log.Clients))-1e-9)) // that may meet it
		want := int64(1)
		for {
			if clients, _, _ := meets(want); clients <= allowed {
				break
			}
			want++
		}
		clients, denied, most := meets(want)
		if p.Limit != want || p.Clients != clients || p.Denied != denied || p.Most != most {
			t.Errorf("seed %d: %+v, want limit %d, %d clients, %d denied, %d at most", seed, p, want, clients, denied, most)
		}
		if most > 0 && bruteDenials(t, want, window, all[slices.Index(log.Clients, p.Heaviest)]) != most {
			t.Errorf("%s has not the most denials", p.Heaviest)
		}
	}
}

func TestChoicesAreReadAsTheyAreWritten(t *testing.T) {
	var w Windows
	if err := w.Set("1s,10m,24h"); err != nil || w.String() != "1s,10m,24h" {
		t.Errorf("%v, %v", w, err)
	}
	var p Percents
	if err := p.Set("95,99.9%,100"); err != nil || p.String() != "95,99.9,100" {
		t.Errorf("%v, %v", p, err)
	}
	if err := p.Set("none"); err != nil || len(p) != 0 {
		t.Errorf("%v, %v", p, err)
	}
	for _, text := range []string{"", "1", "0s", "-1s", "9000h", "1s,,2s"} {
		if err := w.Set(text); err == nil {
			t.Errorf("%q was taken for %v", text, w)
		}
	}
	for _, text := range []string{"", "0", "101", "x", "NaN", "50,,60"} {
		if err := p.Set(text); err == nil {
			t.Errorf("%q was taken for %v", text, p)
		}
	}
}
