package sim

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// epoch is when simulations begin. It is in the middle of a window of every width, so that
// no run begins at an edge by accident.
var epoch = time.Date(2030, 1, 1, 0, 0, 7, 500_000_000, time.UTC).UnixNano()

// quiet is how long a cluster may take to agree once nothing happens any more. A larger
// value hides slow repair, a smaller one blames a repair that is under way. warmup is how
// long the nodes have to find each other before the load begins: a few beats.
const (
	quiet  = 2 * time.Second
	warmup = 3 * time.Second
)

// world is one run in progress.
type world struct {
	sc      Scenario
	now     int64
	begun   int64 // when the nodes started
	start   int64 // of the load
	events  events
	count   uint64
	random  *rand.Rand // load and faults
	weather *rand.Rand // the network
	members []*member
	network *network
	oracle  *oracle
	result  Result
	trace   hash.Hash64
	log     io.Writer // nil: no trace text
	loading bool
	sent    map[*Stream]int // requests, of streams of several clients
	orders  []*orders       // refunds without a reservation, by client
	// struckOff are the numbers of nodes that were taken off the roster, and never start again.
	struckOff map[int]bool
}

// at schedules run for true time t.
func (w *world) at(t int64, run func()) {
	w.count++
	w.events.push(event{at: max(t, w.now), order: w.count, run: run})
}

func (w *world) after(d time.Duration, run func()) { w.at(w.now+int64(d), run) }

// runUntil lets time pass.
func (w *world) runUntil(t int64) {
	for len(w.events) > 0 && w.events[0].at <= t {
		e := w.events.pop()
		w.now = e.at
		e.run()
	}
	w.now = t
}

// note puts something into the trace.
func (w *world) note(what string, values ...int64) {
	var b [8]byte
	_, _ = io.WriteString(w.trace, what)
	binary.LittleEndian.PutUint64(b[:], uint64(w.now)) //nolint:gosec // only hashed
	_, _ = w.trace.Write(b[:])
	for _, v := range values {
		binary.LittleEndian.PutUint64(b[:], uint64(v)) //nolint:gosec // only hashed
		_, _ = w.trace.Write(b[:])
	}
	if w.log != nil {
		_, _ = fmt.Fprintf(w.log, "%12.6f %s %v\n", float64(w.now-w.start)/1e9, what, values)
	}
}

func (w *world) violate(format string, args ...any) {
	const enough = 10
	if len(w.result.Violations) < enough {
		w.result.Violations = append(w.result.Violations, fmt.Sprintf("at %.6f s: ", float64(w.now-w.start)/1e9)+fmt.Sprintf(format, args...))
	}
}

// newWorld makes a cluster whose load begins warmup after now.
func newWorld(sc Scenario, now int64, trace io.Writer) (*world, error) {
	w := &world{
		sc: sc, now: now, begun: now, start: now + int64(warmup), trace: fnv.New64a(), log: trace, sent: map[*Stream]int{}, struckOff: map[int]bool{},
		random:  rand.New(rand.NewPCG(sc.Seed, 1)), //nolint:gosec // repeatable on purpose
		weather: rand.New(rand.NewPCG(sc.Seed, 2)), //nolint:gosec // repeatable on purpose
	}
	w.result.DegradedBy = map[string]time.Duration{}
	w.network = newNetwork(w)
	w.oracle = newOracle(w)
	for range sc.Nodes {
		if sc.Stagger > 0 {
			w.after(time.Duration(w.random.Int64N(int64(sc.Stagger))), func() { w.rejoin(nil, "") })
		} else if err := w.join(nil, ""); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Run plays a scenario and judges it. trace, if not nil, gets a line an event. The
// error is about the scenario; what the run did wrong is in Result.Violations.
func Run(sc Scenario, trace io.Writer) (Result, error) {
	if err := sc.Validate(); err != nil {
		return Result{}, fmt.Errorf("sim: %w", err)
	}
	w, err := newWorld(sc, epoch, trace)
	if err != nil {
		return Result{}, err
	}
	for i := range sc.Faults {
		if err := w.schedule(&sc.Faults[i]); err != nil {
			return Result{}, err
		}
	}
	w.runUntil(w.start)
	w.loading = true
	for i := range sc.Streams {
		w.stream(&sc.Streams[i], i)
	}
	w.runUntil(w.start + int64(sc.Duration))
	w.loading = false
	w.calm()
	w.finish()
	return w.result, nil
}

// calm waits for the last fault to end, heals the network, and then gives the cluster the
// time in which it has to agree.
func (w *world) calm() {
	for _, f := range w.sc.Faults {
		w.runUntil(max(w.now, w.start+int64(f.At+f.For)+1))
	}
	w.network.heal()
	w.runUntil(w.now + int64(quiet+10*w.sc.Link.DelayMax))
	// A repair may have been lost before the healing, and its node gives it up first. The
	// more messages were lost, the longer nodes wait between repeated requests.
	patience := 3
	if w.network.lossy {
		patience += 30
	}
	differ := w.disagreement()
	for ; differ != "" && patience > 0; patience-- {
		w.runUntil(w.now + int64(time.Second))
		differ = w.disagreement()
	}
	if differ != "" {
		w.violate("%s", differ)
	}
}

func (w *world) finish() {
	r := &w.result
	r.Scenario, r.Seed = w.sc, w.sc.Seed
	r.Simulated = time.Duration(w.now - w.begun)
	r.Messages, r.Bytes = w.network.messages, w.network.bytes
	w.oracle.ledger.audit()
	w.settleOrders()
	w.oracle.report(r)
	r.Trace = w.trace.Sum64()
}

// member is one incarnation of one node.
type member struct {
	w        *world
	number   int
	name     string
	clock    *clock
	step     *node.Stepper
	replica  uint64
	alive    bool
	bornAt   int64
	diedAt   int64    // 0: it lives
	farewell bool     // it said bye
	run      node.Run // once it is over
	lingers  int64    // until then it answers repairs, after its bye
	wakes    uint64   // counts wake-ups: only the last one that was scheduled may run
	wake     int64    // when that is, by the member's clock
	subs     []string
	inQueue  int64   // when the last message taken will have been merged, if slow
	takes    float64 // messages a second; 0 is any number
	floors   map[*member]int64
	claims   map[[2]*member]int64 // what the others claimed to know of each other when it was born
	heard    bool                 // some other incarnation took a message of it
	ready    bool
	founder  bool  // ready without a snapshot
	joinedAt int64 // since then it tells what it admits; 0: not yet
	counters map[lifeKey]counter
	told     map[string]exported // by limit, as far as somebody asked
	turns    uint64              // inputs so far
	saved    []byte              // who the other nodes are, as its state directory has it
	lists    []string            // the roster of bounded limits in its configuration
	roster   []byte              // that roster, as its state directory has it
	file     *file               // its counts, as its state directory has them; nil if it has none
	back     bool                // it brought counts of a file back
}

// join starts a node: the next incarnation of one that died, or a new one, which may bear
// the name of another.
func (w *world) join(again *member, name string) error {
	m := &member{w: w, alive: true, bornAt: w.now, floors: map[*member]int64{}, told: map[string]exported{}}
	last := node.Run{} // as a state directory keeps it
	if again == nil {
		m.number = len(w.numbered()) + 1
		m.name = cmp.Or(name, fmt.Sprintf("n%d", m.number))
		skew := int64(0)
		if w.sc.Skew > 0 {
			skew = w.random.Int64N(2*int64(w.sc.Skew)+1) - int64(w.sc.Skew)
		}
		if m.number <= len(w.sc.Clocks) {
			skew += int64(w.sc.Clocks[m.number-1])
		}
		m.clock = newClock(w.now, skew, (2*w.random.Float64()-1)*w.sc.Drift)
		if m.lists = w.sc.roster(); m.lists != nil && !slices.Contains(m.lists, m.name) {
			m.lists = append(m.lists, m.name) // it joins: the others do not list it
		} else {
			m.roster = w.sc.ranBefore()
		}
	} else {
		m.number, m.name, m.clock = again.number, again.name, again.clock
		last = again.run
		m.saved, m.lists, m.roster, m.file = again.saved, again.lists, again.roster, again.file
	}
	m.replica = w.random.Uint64() | 1
	limits := map[string]node.Policy{node.DefaultLimit: w.sc.Policy}
	for _, l := range w.sc.Limits {
		limits[l.Name] = l.Policy
	}
	full := node.FullShare
	if w.sc.OpenWhenFull {
		full = node.FullOpen
	}
	cfg := node.Config{
		Name: m.name, Limits: limits,
		Flush: w.sc.Flush, MaxClients: w.sc.MaxClients, OnFull: full,
		Roster: m.lists, SavedRoster: m.roster,
		KeepRoster: func(text []byte) error { m.roster = text; return nil },
		Alone:      w.sc.lone(), LastRun: last, SavedMembers: m.saved,
		Now: func() time.Time { return time.Unix(0, m.clock.read(w.now)) }, Elapsed: func() time.Duration { return time.Duration(w.now) },
	}
	m.bring(&cfg)
	step, err := node.NewStepper(cfg, m.replica)
	if err != nil {
		return err
	}
	m.step = step
	m.subs = step.Subjects()
	m.claims = w.oracle.knows.claims()
	w.members = append(w.members, m)
	w.note("start", int64(m.number))
	m.do(deltasync.Input{Kind: deltasync.InputConnected})
	w.housekeep(m)
	if m.file != nil {
		w.after(w.sc.RestoreDelay, func() { w.restore(m) })
	}
	if w.sc.SaveCounts > 0 {
		w.after(w.sc.SaveCounts, func() { w.saveCounts(m) })
	}
	return nil
}

// numbered is the latest incarnation of each node.
func (w *world) numbered() map[int]*member {
	out := map[int]*member{}
	for _, m := range w.members {
		out[m.number] = m
	}
	return out
}

// node is the living incarnation with that number, nil if there is none.
func (w *world) node(number int) *member {
	for _, m := range w.members {
		if m.number == number && m.alive {
			return m
		}
	}
	return nil
}

func (w *world) living() []*member {
	var out []*member
	for _, m := range w.members {
		if m.alive {
			out = append(out, m)
		}
	}
	return out
}

func (w *world) housekeep(m *member) {
	w.after(time.Second, func() {
		if m.alive {
			m.step.Housekeep()
			if members := m.step.Node.SaveMembers(); members != nil {
				m.saved = members
			}
			w.watchLives(m)
			if reasons := m.step.Inside().Degraded(); len(reasons) > 0 && w.loading {
				w.result.Degraded += time.Second
				for _, reason := range reasons {
					w.result.DegradedBy[reason] += time.Second
				}
			}
			w.housekeep(m)
		}
	})
}

// do steps the member's protocol and carries out its output.
func (m *member) do(in deltasync.Input) {
	m.turns++
	out := m.step.Step(in)
	if m.joinedAt == 0 && m.step.Inside().Joined() {
		m.joinedAt = m.w.now
	}
	for _, p := range out.Packets {
		m.w.network.send(m, p)
	}
	for _, e := range out.Events {
		m.w.note("event", int64(m.number), int64(e.Kind))
		if e.Kind == deltasync.EventReady {
			m.w.oracle.knows.joined(m, uint64(e.Replica))
		}
	}
	if out.Wake == m.wake {
		return // it is scheduled
	}
	m.wake = out.Wake
	m.wakes++
	turn := m.wakes
	m.w.at(m.clock.when(m.w.now, out.Wake), func() {
		if m.alive && m.wakes == turn {
			m.wake = 0
			m.do(deltasync.Input{Kind: deltasync.InputTick})
		}
	})
}

// die ends the member, with a bye or without.
func (m *member) die(farewell bool) {
	if farewell {
		m.do(deltasync.Input{Kind: deltasync.InputClose})
		m.save(true)
		m.lingers = m.w.now + m.step.Lingers()
	}
	m.run = m.step.Node.Run()
	m.run.Left = farewell
	m.alive, m.diedAt, m.farewell = false, m.w.now, farewell
	if farewell && m.joinedAt == 0 {
		m.joinedAt = m.w.now
	}
	m.w.note("stop", int64(m.number))
}
