package counts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

var someHeader = Header{
	Cluster: "c", Node: "n1", Key: 7, Replica: 9, At: 1_790_000_000_000_000_000, Whole: true, Founded: 5, Before: 6,
	Missing: []Span{{Of: 3, Began: 20, Ended: 10, Kind: 1}},
}

// draw makes a client of random shape, of the rules given.
func draw(r *rand.Rand, rules []Rule) (c Client, of []Rule) {
	c.Key = crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()}
	if r.IntN(3) == 0 {
		c.Reset = crdt.Stamp{At: r.Int64N(1e18), By: crdt.Replica(r.Uint64())}
	}
	for range 1 + r.IntN(3)*r.IntN(2) {
		rule := rules[r.IntN(len(rules))]
		of = append(of, rule)
		l := Life{}
		for n := range 1 + r.IntN(2)*r.IntN(10) {
			s := Slot{Number: uint8(n), Start: rule.Start + int64(r.IntN(3)-1)*rule.Width, Origin: [2]int64{crdt.Never, crdt.Never}}
			for w := range s.Origin {
				if r.IntN(3) > 0 {
					s.Origin[w] = s.Start + r.Int64N(1e12) - 5e11
				}
			}
			for range r.IntN(4) {
				p := [2]uint64{r.Uint64N(1000), r.Uint64N(3)}
				s.Cells = append(s.Cells, Cell{crdt.Replica(1 + r.Uint64N(5)), [2]crdt.Count{{P: p[0], N: r.Uint64N(p[0] + 1)}, {P: p[1]}}})
			}
			l.Slots = append(l.Slots, s)
		}
		c.Lives = append(c.Lives, l)
	}
	return c, of
}

func someRules() []Rule {
	return []Rule{
		{Limit: "default", Width: 60e9, Counting: 1, Start: 1_790_000_000_000_000_000},
		{Limit: "login", Revision: crdt.Stamp{At: 1e18, By: 4}, Index: 3, Width: 15e9, Counting: 1 << 63, Start: 1_790_000_000_000_000_000},
		{Limit: "default", Width: 60e9, Counting: 2, Start: 1_790_000_000_000_000_000},
	}
}

// written is a file of n random clients, and what it has to hold.
func written(t testing.TB, seed uint64, n int) (file []byte, clients []Client, rules [][]Rule) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	var b bytes.Buffer
	w, err := NewWriter(&b, &someHeader)
	if err != nil {
		t.Fatal(err)
	}
	var p Page
	for range n {
		c, of := draw(r, someRules())
		for i := range of {
			c.Lives[i].Rule = number(&p, &of[i])
		}
		if !p.Add(&c) {
			t.Fatal("a page that is not full has no room")
		}
		for i := range of {
			c.Lives[i].Rule = 0
		}
		clients, rules = append(clients, c), append(rules, of)
		if p.Full() {
			if err := w.Clients(&p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Clients(&p); err != nil {
		t.Fatal(err)
	}
	if end, err := w.Close(); err != nil || end.Clients != uint64(n) || end.Left != 0 {
		t.Fatal(end, err)
	}
	if w.Size != int64(b.Len()) {
		t.Errorf("it says %d bytes, and wrote %d", w.Size, b.Len())
	}
	return b.Bytes(), clients, rules
}

// number is that of a rule in a page, which gets it if it has not.
func number(p *Page, r *Rule) int {
	if i := slices.Index(p.Rules, *r); i >= 0 {
		return i
	}
	return p.Rule(r)
}

// read reads a whole file, and hands each client to take.
func read(file []byte, take func(*Page, *Client)) (*Header, Trailer, error) {
	r, h, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, Trailer{}, err
	}
	var p Page
	for {
		more, err := r.Next(&p)
		switch {
		case err != nil:
			return nil, Trailer{}, err
		case !more:
			return h, r.Trailer(), nil
		}
		for c := p.Next(); c != nil; c = p.Next() {
			take(&p, c)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		file, clients, rules := written(t, uint64(n), n)
		i := 0
		h, end, err := read(file, func(p *Page, c *Client) {
			for j := range c.Lives {
				if got := p.Rules[c.Lives[j].Rule]; got != rules[i][j] {
					t.Fatalf("client %d, life %d: %+v, want %+v", i, j, got, rules[i][j])
				}
				c.Lives[j].Rule = 0
				for k := range c.Lives[j].Slots {
					if s := &c.Lives[j].Slots[k]; len(s.Cells) == 0 {
						s.Cells = nil
					}
				}
			}
			if !reflect.DeepEqual(*c, clients[i]) {
				t.Fatalf("client %d: %+v, want %+v", i, *c, clients[i])
			}
			i++
		})
		if err != nil || i != n || end.Clients != uint64(n) {
			t.Fatalf("%d of %d clients, %+v, %v", i, n, end, err)
		}
		if !reflect.DeepEqual(*h, someHeader) {
			t.Errorf("%+v", h)
		}
	}
}

func TestNothingOfADamagedFileIsWhole(t *testing.T) {
	file, _, _ := written(t, 1, 20)
	ignore := func(*Page, *Client) {}
	for i := range file {
		if _, _, err := read(file[:i], ignore); err == nil {
			t.Fatalf("cut off at %d", i)
		}
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(file)
			changed[i] ^= bit
			if _, _, err := read(changed, ignore); err == nil {
				t.Fatalf("changed at %d", i)
			}
		}
	}
	if _, _, err := read(append(bytes.Clone(file), 0), ignore); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestAFileOfAnotherKindOrVersionIsNamed(t *testing.T) {
	file, _, _ := written(t, 1, 1)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty": {nil, ErrEmpty.Error()}, "text": {[]byte("what is this, and why here?"), ErrForeign.Error()}, "short": {file[:5], ErrForeign.Error()},
		"older": {version(file, Version-1), "an older ratelimitd wrote it: it is of version 0"}, "newer": {version(file, Version+1), "a newer ratelimitd wrote it: it is of version 2"},
	} {
		if _, _, err := NewReader(bytes.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func version(file []byte, v uint16) []byte {
	out := bytes.Clone(file)
	binary.LittleEndian.PutUint16(out[len(magic):], v)
	return out
}

func TestAClientThatNoPageHoldsIsLeftOutAndCounted(t *testing.T) {
	huge := Client{Lives: []Life{{Slots: []Slot{{Start: 60e9}}}}}
	for i := range mostReplicas + 1 {
		huge.Lives[0].Slots[0].Cells = append(huge.Lives[0].Slots[0].Cells, Cell{crdt.Replica(i + 1), [2]crdt.Count{{P: 1}}})
	}
	small := Client{Lives: []Life{{Slots: []Slot{{Start: 60e9, Cells: []Cell{{1, [2]crdt.Count{{P: 1}}}}}}}}}
	var b bytes.Buffer
	w, err := NewWriter(&b, &someHeader)
	if err != nil {
		t.Fatal(err)
	}
	var p Page
	rule := someRules()[0]
	add := func(c *Client) {
		c.Lives[0].Rule = p.Rule(&rule)
		if p.Add(c) {
			return
		}
		if err := w.Clients(&p); err != nil {
			t.Fatal(err)
		}
		if c.Lives[0].Rule = p.Rule(&rule); !p.Add(c) {
			t.Fatal("an empty page says that it has no room")
		}
	}
	add(&small)
	add(&huge)
	add(&small)
	if err := w.Clients(&p); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	_, end, err := read(b.Bytes(), func(*Page, *Client) { n++ })
	if err != nil || n != 2 || end != (Trailer{Clients: 2, Left: 1}) {
		t.Errorf("%d clients, %+v, %v", n, end, err)
	}
}

// FuzzRead reads whatever bytes say. It must not crash, nor take more memory than a page and what
// its clients come to.
func FuzzRead(f *testing.F) {
	for _, n := range []int{0, 1, 30} {
		file, _, _ := written(f, uint64(n), n)
		f.Add(file)
		f.Add(version(file, 9))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := uint64(0)
		_, end, err := read(file, func(p *Page, c *Client) {
			n++
			if len(c.Lives) == 0 || c.Lives[0].Rule >= len(p.Rules) {
				t.Fatalf("%+v", c)
			}
		})
		runtime.ReadMemStats(&after)
		if err == nil && end.Clients != n {
			t.Fatalf("%d clients, and it says %d", n, end.Clients)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20+100*uint64(len(file)) {
			t.Fatalf("%d bytes for a file of %d", took, len(file))
		}
	})
}

// FuzzPage reads whatever a page may say whose checksum is right.
func FuzzPage(f *testing.F) {
	for _, n := range []int{1, 30} {
		file, _, _ := written(f, uint64(n), n)
		r, _, err := NewReader(bytes.NewReader(file))
		if err != nil {
			f.Fatal(err)
		}
		body, err := r.page(mostPage)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 {
			return
		}
		var p Page
		p.read(body)
		for c := p.Next(); c != nil; c = p.Next() {
			same(t, &p, c)
		}
	})
}

// same checks that a client reads as it did once it is written again.
func same(t *testing.T, p *Page, c *Client) {
	t.Helper()
	var out, in Page
	want := fmt.Sprintf("%+v", c.Reset)
	for i := range c.Lives {
		l := &c.Lives[i]
		want += fmt.Sprintf("%+v", l.Slots)
		l.Rule = out.Rule(&p.Rules[l.Rule])
	}
	if !out.Add(c) || out.left > 0 {
		t.Fatalf("no room for %+v", c)
	}
	in.read(out.body)
	again := in.Next()
	if again == nil || !in.whole() && in.Next() != nil {
		t.Fatalf("%+v is damaged once it is written", c)
	}
	got := fmt.Sprintf("%+v", again.Reset)
	for i := range again.Lives {
		got += fmt.Sprintf("%+v", again.Lives[i].Slots)
	}
	if got != want {
		t.Fatalf("%s\n%s", got, want)
	}
}

func BenchmarkRead(b *testing.B) {
	file, _, _ := written(b, 1, 100_000)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, _, err := read(file, func(*Page, *Client) {}); err != nil {
			b.Fatal(err)
		}
	}
}
