package table

// leastKept is how many values a sparse map may have room for though it holds none. Raising it
// keeps more memory in each shard. Lowering it makes the map anew more often where a few
// clients come and go.
const leastKept = 64

// sparse is a map of what few clients have. A Go map keeps the room for the most that it ever
// held; trim gives that back. The zero value is empty.
type sparse[K comparable, V any] struct {
	of   map[K]V // set and remove change it
	most int     // how much of held at once
}

func (m *sparse[K, V]) set(k K, v V) {
	if m.of == nil {
		m.of = map[K]V{}
	}
	m.of[k] = v
	m.most = max(m.most, len(m.of))
}

func (m *sparse[K, V]) remove(k K) { delete(m.of, k) }

// trim makes the map anew if it holds far less than it did.
func (m *sparse[K, V]) trim() {
	if m.most <= leastKept || 8*len(m.of) >= m.most {
		return
	}
	was := m.of
	*m = sparse[K, V]{}
	for k, v := range was {
		m.set(k, v)
	}
}
