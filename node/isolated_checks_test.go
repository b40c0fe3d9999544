package node

import (
	"testing"
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A partition may be noticed while a request is decided that several limits have to admit.
func TestAPartitionNoticedWithinADecisionIsNotHalfHeeded(t *testing.T) {
	now := time.Unix(1_700_000_040, 0)
	n, err := build(Config{
		Name: "a", Now: func() time.Time { return now },
		Limits: map[string]Policy{
			"closed": {Limit: 1 << 40, Window: time.Minute, OnIsolation: IsolationClosed},
			"other":  {Limit: 1 << 40, Window: time.Minute},
		},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for cut := true; ; cut = !cut {
			select {
			case <-stop:
				return
			default:
				(viewer{n}).View(deltasync.View{Members: 2, Visible: 2, Isolated: cut})
			}
		}
	}()
	defer func() { close(stop); <-done }()
	for range 50_000 {
		d := n.DoDetailed(Request{Client: "x", Limit: "closed", Also: []Check{{Limit: "other"}}})
		if d.Allowed != d.Each[0].Allowed || d.Each[0].Cost != d.Each[1].Cost {
			t.Fatalf("%+v", d)
		}
		n.Do(Request{Client: "x", Limit: "closed", AtMost: true})
	}
}
