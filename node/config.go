package node

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/natslink"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Config configures a node. The zero value of a field means its default. Only a limit has
// none: give at least one.
type Config struct {
	// Name is the node's name: 1 to 64 of A-Z, a-z, 0-9, _ and -. Default: the host's name,
	// with dots replaced. Names should be unique in the cluster. Two nodes of one name
	// confuse the status, but never the counts.
	Name string
	// Cluster names the nodes that count together. Default "default".
	Cluster string
	// ClusterKey is a secret that all nodes of a cluster share. It tags messages and hashes
	// client ids. The default is public, so set one.
	ClusterKey []byte
	// NodeKey is this node's own key (Ed25519). It signs all that the node says. Default: nothing is
	// signed.
	NodeKey ed25519.PrivateKey
	// NodeKeys has the public keys of all nodes, this one's included. What a node says without its
	// signature is refused, and so are nodes that are not listed. It needs NodeKey. Replace changes
	// the list while the node runs. Default: the cluster key is enough to speak.
	NodeKeys *Keyring

	// Limit, Window and Burst are the limit named "default", see Policy. Limit 0 means
	// that there is none of that name, unless in Limits. A default limit with more to say
	// than these three goes into Limits.
	Limit  int64
	Window time.Duration
	Burst  int64
	// Limits are further limits by name.
	Limits map[string]Policy
	// ConfiguredAt is how new these limits are, such as the modification time of their
	// file; see Configure. Zero means unknown: whatever another node was configured with
	// while it ran counts as newer.
	ConfiguredAt time.Time
	// SavedLimits are set limits that SaveLimits returned in an earlier run. Newer
	// knowledge of peers wins.
	SavedLimits []byte

	// LastRun is what Run returned last in an earlier run of this node. A node that does not
	// know that it ran before takes itself for new: if a whole cluster restarts so, its error
	// bound leaves out what was admitted before.
	LastRun Run

	// SavedCounts is what SaveCounts wrote in an earlier run of this node. The node reads it in the
	// background, from its beginning to its end and twice: first to see that all of it is whole. What
	// clients used counts again then, unless they were reset since. If no peer is ready, the node is
	// ready when that is done, or after 5 s. A file that cannot be used changes nothing.
	SavedCounts io.ReadSeeker
	// CountsRestored hears what came back of SavedCounts, or why nothing did: once, and in Open if
	// the file is not of this node. Nobody reads SavedCounts after it, or after Close.
	CountsRestored func(Restored, error)

	// SavedMembers is what SaveMembers returned in an earlier run. A node that restarts while
	// it is cut off knows by it how many nodes there are, and takes the clients' shares of the
	// time before as used up. A text that cannot be read is no error: the node then counts with
	// one node that it does not hear, until the nodes that it hears know of nobody else.
	SavedMembers []byte

	// Nodes is the number of nodes in the cluster, if you know it. A node that is cut off
	// from its start cannot find it out. It matters only to limits whose OnIsolation is not
	// keep. Default: the number of nodes that were heard and did not say bye.
	Nodes int
	// Roster is the names of all nodes that share bounded limits (Policy.Consistency), this one's
	// included: at most MaxRoster. Nodes agree on the roster in force by what each of them lists: a new
	// one names at least one that is there already, and uses its share once all have put it into force.
	// A name that the last run's Roster had, and this one's does not have, is struck off for good, as by
	// Forget. Default: none, which such limits need unless the node has no network.
	Roster []string
	// SavedRoster is what KeepRoster was given last in an earlier run. A node that has it uses its share
	// at once; another one waits until all others agree.
	SavedRoster []byte
	// KeepRoster keeps the roster for the next run, before others are told. It may block, and is called
	// by one goroutine at a time, and by Open. Default: nothing is kept. Then give all nodes the whole
	// roster, or one that starts could forget a node that it had let in.
	KeepRoster func(text []byte) error
	// NATS says how to reach the other nodes. The zero value is a node alone.
	NATS NATS
	// Transport replaces NATS, for tests and for many nodes in one process.
	Transport Transport
	// Alone says that no other node is expected. The node is then ready at once, and
	// neither isolated nor degraded without a network. Others may come all the same. A node
	// without NATS and Transport is always alone.
	Alone bool
	// SubjectPrefix begins all subjects. Default "ratelimit".
	SubjectPrefix string
	// Flush is how long an admission may wait until the node sends it, unless its client is
	// hot. Default 50 ms, at most 200 ms. Raising it saves messages; lowering it lowers the
	// error bound.
	Flush time.Duration

	// MaxClients caps the clients in the table, over all limits. A client takes about 80
	// bytes, and 24 for each other node that counted it lately. Default 10,000,000. OnFull
	// says what happens to unknown clients at the cap.
	MaxClients int
	OnFull     OnFull
	// ClockTolerance is how far a peer's clock may be ahead of this node's. The node
	// refuses data from further ahead. Default 1 s; at most a quarter of a window counts.
	ClockTolerance time.Duration

	// Logger gets changes of state and degradation. It never gets single requests or a
	// client's id. Default: no log.
	Logger *slog.Logger
	// Now replaces the clock, for tests. Several goroutines may call it at once. If it
	// steps back, the node's time stands still.
	Now func() time.Time
	// Elapsed is a time that no step of Now changes, for tests. Without it, a node with Now
	// does not see that its clock was set.
	Elapsed func() time.Duration

	stepped bool // a Stepper drives the node, and brings the network
}

// NATS says how to reach a cluster's other nodes. The zero value is a node alone.
type NATS struct {
	// URL is one or more server URLs, separated by commas. The node connects by itself,
	// never gives up, and closes the connection in Close.
	URL string
	// Options come on top of the node's own, for credentials and TLS.
	Options []nats.Option
	// Conn is a connection of the caller's instead of URL. It may serve other purposes too,
	// and stays open. Give it MaxReconnects(-1); otherwise the node is cut off for good
	// after a minute without a server.
	Conn *nats.Conn
}

// Validate reports what is wrong with the URLs or the connection, without using them. The
// error joins every fault, each a *FieldError that shows no password. The zero value has none.
func (n NATS) Validate() error { return natslink.Servers(n).Validate() }

// String is the URLs without their passwords, for logs and messages.
func (n NATS) String() string { return natslink.Servers(n).String() }

// Keyring has the public keys by which nodes tell who speaks. ParseNodeKeys of package sync reads a
// list of them, and ParseNodeKey a node's own key.
type Keyring = deltasync.NodeKeys

// Transport carries messages between nodes; see Memory for one without a network.
type Transport = deltasync.Transport

// Memory is a network within the process: nodes whose Config.Transport comes from
// the same Memory form a cluster.
type Memory = deltasync.Memory

// OnFull says what happens to unknown clients when the client table is full.
type OnFull uint8

// The choices. No client that is held is ever evicted to make room: whoever could
// make the limiter forget a client would have no limit.
const (
	// FullShare holds each of them to its limit by an estimate of what it used, in memory of a fixed
	// size. An estimate can be too high, and deny too much; it is never too low. It is this node's
	// alone: peers do not hear of it, so the node is degraded. Under the window algorithms, unknown
	// clients share a fixed number of ordinary entries instead.
	FullShare OnFull = iota
	// FullOpen lets them pass. No limit counts them.
	FullOpen
)

// Defaults of Config.
const (
	// DefaultMaxClients fills about a gigabyte. Raising it lets a flood of invented ids take more;
	// lowering it decides clients of large services by estimates.
	DefaultMaxClients = 10_000_000
	// DefaultClockTolerance is far above what synchronised clocks differ by. Raising it lets one wrong
	// clock lock clients out for longer; lowering it refuses data of nodes that are well.
	DefaultClockTolerance = time.Second
	// mostClients fits into an int on every machine, and no memory holds as many. Raising it breaks
	// builds for 32 bits; lowering it refuses large machines.
	mostClients = 1<<31 - 1
	// leastKey is the shortest cluster key, in bytes: 64 bits where it is hexadecimal. A
	// shorter one could be tried out on messages that were overheard.
	leastKey = 16
)

// withDefaults fills c in, and reports every fault at once.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	refuse := func(field string, value any, reason string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Reason: reason})
	}
	if c.Name == "" {
		c.Name = DefaultName()
	}
	if c.Cluster == "" {
		c.Cluster = "default"
	}
	if c.SubjectPrefix == "" {
		c.SubjectPrefix = "ratelimit"
	}
	if c.Flush == 0 {
		c.Flush = deltasync.DefaultInterval
	}
	if c.MaxClients == 0 {
		c.MaxClients = DefaultMaxClients
	}
	if c.ClockTolerance == 0 {
		c.ClockTolerance = DefaultClockTolerance
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	const names = "must be 1 to 64 of A-Z, a-z, 0-9, _ and -"
	if !deltasync.ValidName(c.Name) {
		refuse("name", c.Name, names)
	}
	if !deltasync.ValidName(c.Cluster) {
		refuse("cluster", c.Cluster, names)
	}
	for token := range strings.SplitSeq(c.SubjectPrefix, ".") {
		if !deltasync.ValidName(token) {
			refuse("subject_prefix", c.SubjectPrefix, "must be tokens of A-Z, a-z, 0-9, _ and -, separated by dots")
			break
		}
	}
	if c.Flush < 0 || c.Flush > deltasync.MaxInterval {
		refuse("flush", c.Flush, fmt.Sprintf("must be above 0 and at most %v", deltasync.MaxInterval))
	}
	if c.MaxClients < 1 || c.MaxClients > mostClients {
		refuse("max_clients", c.MaxClients, fmt.Sprintf("must be from 1 to %d", int64(mostClients)))
	}
	if c.Nodes < 0 || c.Nodes > deltasync.MaxPeers {
		refuse("nodes", c.Nodes, fmt.Sprintf("must be from 1 to %d, or 0 if not known", deltasync.MaxPeers))
	}
	if value, reason := lending.Refuse(c.Roster, c.Name); reason != "" {
		refuse("roster", value, reason)
	}
	if c.ClockTolerance < 0 {
		refuse("clock_tolerance", c.ClockTolerance, "must not be negative")
	}
	if c.Alone && c.Nodes > 1 {
		refuse("alone", c.Alone, fmt.Sprintf("other nodes are expected: nodes is %d", c.Nodes))
	}
	if c.OnFull > FullOpen {
		refuse("on_full", c.OnFull, "must be FullShare or FullOpen")
	}
	if n := len(c.ClusterKey); n > 0 && n < leastKey {
		refuse("cluster_key", fmt.Sprintf("of %d bytes", n), fmt.Sprintf("must have at least %d: a short one can be guessed", leastKey))
	}
	if field, value, reason := deltasync.RefuseNodeKeys(c.Name, c.NodeKey, c.NodeKeys); reason != "" {
		refuse(field, value, reason)
	}
	if c.Transport != nil && (c.NATS.URL != "" || c.NATS.Conn != nil) {
		refuse("transport", "set", "give a transport or NATS, not both")
	}
	limits, err := c.policies()
	c.Limits = limits
	return c, errors.Join(errors.Join(faults...), c.NATS.Validate(), err, c.refuseBounded(limits, ""))
}

// wall is the wall clock, in unix nanoseconds; the largest number where it is later still.
func (c *Config) wall() int64 {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	if t := now(); t.Year() < lastYear {
		return t.UnixNano()
	}
	return math.MaxInt64
}

// lastYear is beyond clock.Latest and within what UnixNano can tell.
const lastYear = 2200

// policies is all limits by name, validated.
func (c Config) policies() (map[string]Policy, error) {
	all := maps.Clone(c.Limits)
	if all == nil {
		all = map[string]Policy{}
	}
	var faults []error
	if c.Limit != 0 || c.Window != 0 || c.Burst != 0 {
		if _, twice := all[DefaultLimit]; twice {
			faults = append(faults, &FieldError{Field: "limits.default", Value: "set", Reason: "is given twice: by limit and window, and in limits"})
		}
		all[DefaultLimit] = Policy{Limit: c.Limit, Window: c.Window, Burst: c.Burst}
	}
	if len(all) == 0 {
		faults = append(faults, &FieldError{Field: "limit", Value: 0, Reason: "give at least one limit: a rate has no default"})
	}
	return all, errors.Join(errors.Join(faults...), limits.Valid(all))
}

// lone reports whether the node has no network, so that nobody shares its limits.
func (c *Config) lone() bool {
	return c.Transport == nil && c.NATS.URL == "" && c.NATS.Conn == nil && !c.stepped
}

// roster is the nodes that share bounded limits.
func (c *Config) roster() []string {
	if c.lone() {
		return []string{c.Name}
	}
	return c.Roster
}

// refuseBounded refuses the limits that need a roster, where there is none. field names the field at
// fault; "" is that of a configuration.
func (c *Config) refuseBounded(limits map[string]Policy, field string) error {
	if len(c.roster()) > 0 {
		return nil
	}
	return lending.Lacks(limits, field)
}

// DefaultName is the default of Config.Name: the host's name as one token of a subject.
func DefaultName() string {
	host, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return cmp.Or(deltasync.NameOf(host), "node")
}
