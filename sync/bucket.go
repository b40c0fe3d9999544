package sync

// bucket is a token bucket. The zero value is full.
type bucket struct {
	full int64 // when it will be full again, by our clock
}

// take takes n tokens if they are there at now. perSecond come back in a second, most fit.
func (b *bucket) take(now, n, perSecond, most int64) bool {
	each := int64(1e9) / perSecond
	full := max(b.full, now) + n*each
	if full-now > most*each {
		return false
	}
	b.full = full
	return true
}

// owe takes n tokens whether they are there or not.
func (b *bucket) owe(now, n, perSecond int64) {
	b.full = max(b.full, now) + n*(int64(1e9)/perSecond)
}
