package sync

// bucket is a token bucket. The zero value is full.
type bucket struct {
	full int64 // when it will be full again, by our clock
}

// ration is how fast a bucket fills, and how much it holds.
type ration struct{ perSecond, most int64 }

func (r ration) each() int64 { return int64(1e9) / r.perSecond }

// take takes n tokens if they are there at now.
func (b *bucket) take(now, n int64, r ration) bool {
	if b.due(n, r) > now {
		return false
	}
	b.charge(now, n, r)
	return true
}

// charge takes n tokens, though they may not be there.
func (b *bucket) charge(now, n int64, r ration) { b.full = max(b.full, now) + n*r.each() }

// due is when n tokens are there.
func (b *bucket) due(n int64, r ration) int64 { return b.full + (n-r.most)*r.each() }
