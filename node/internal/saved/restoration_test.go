package saved

import (
	"bytes"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/counts"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestAnOldFileIsReadOnlyWhereNobodyRanOn(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	k := &Keeper{Now: now.UnixNano}
	minute := uint64(60)
	for _, c := range []struct {
		name         string
		age          time.Duration
		status       deltasync.Status
		read, unused bool
	}{
		{"a young one, at once", time.Minute, deltasync.Status{}, true, false},
		{"an old one, while it is not clear who is there", time.Hour, deltasync.Status{}, false, false},
		{"an old one, when nobody can tell", time.Hour, deltasync.Status{Waiting: true}, true, false},
		{"an old one, beside a node that started just before", time.Hour, deltasync.Status{Ready: true, Peers: []deltasync.Peer{{Beats: minute}}}, true, false},
		{"an old one, beside a node that ran on", time.Hour, deltasync.Status{Ready: true, Peers: []deltasync.Peer{{Beats: 60 * minute}}}, false, true},
		{"an old one, beside a node that is gone", time.Hour, deltasync.Status{Ready: true, Peers: []deltasync.Peer{{Beats: 60 * minute, State: deltasync.PeerGone}}}, true, false},
	} {
		x := &Restoration{keeper: k, header: &counts.Header{At: now.Add(-c.age).UnixNano()}}
		if read, unused := x.due(&c.status); read != c.read || unused != c.unused {
			t.Errorf("%s: read %t, unused %t", c.name, read, unused)
		}
	}
}

// A node that stops while it restores has only a part of the file. What it knows must not replace the
// file: it still restores, for all who want to save.
func TestAStopLeavesTheFileToTheNextRun(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UnixNano()
	told := false
	k := &Keeper{Cluster: "c", Node: "n", Replica: 2, Now: func() int64 { return now }, Tell: func(Restored, error) { told = true }}
	var file bytes.Buffer
	w, err := counts.NewWriter(&file, &counts.Header{Cluster: "c", Node: "n", Key: k.key(), Replica: 1, At: now, Founded: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	x := k.Open(bytes.NewReader(file.Bytes()))
	if x == nil || !k.Restoring() {
		t.Fatal("the file is not to be restored")
	}
	stop := make(chan struct{})
	close(stop)
	if whole, ended := x.Run(func() deltasync.Status { return deltasync.Status{} }, nil, stop); whole || ended || !k.Restoring() || told {
		t.Errorf("whole %t, ended %t, restoring %t, told %t after a stop", whole, ended, k.Restoring(), told)
	}
}
