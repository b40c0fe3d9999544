// Package table holds the clients of all limits: for each client and limit one Entry, which
// counts what the client used.
//
// A Table has one Shard for each partition of the key space. A shard is the unit of locking,
// of flushing, of digests and of repair: every change of an entry happens under its shard's
// lock. A decision locks one shard, opens the client's entry, reads and charges its states,
// and notes what has to be sent. The protocol collects, merges and exports the entries as
// rows (deltasync.Rows and deltasync.Summaries), shard by shard. Sweep forgets clients that
// nobody can tell from unknown ones any more.
//
// # Memory
//
// Entries are open only while somebody works on them. Unlock packs them: each into a cell of
// one cache line in chunks that hold no pointers and never move, and what few clients have
// into records beside it. A client that fits into neither stays as it is, in a map (see cell).
// Callers hold an *Entry only while they hold its shard's lock, and reach its contents by
// methods.
//
// # Where things are
//
//	table, partset, shard, entry, life        all clients, a partition of them, one, its use in each life
//	cell, glance                              how it lies in memory, and how a decision reads and charges it
//	publish_amd64, publish_other              how an admission's stores become visible
//	slab, index                               where a client lies, and how it is found without a lock
//	clients, pack, record, numbers, sparse    which form a client has, and the way from one to another
//	locked                                    shards that one decision holds together
//	charge, debt, refund, early               what decisions and settlements do to a client
//	account, ample                            what a client may use by a bounded limit; the same at a glance
//	note, audience, outbox, sends, collect    what has to be sent, and when
//	merge, mergecell, export, digest          what peers state, ask for and compare
//	reset, saved                              what a reset ends; what a file brings back
//	sweep, unplaced                           forgetting, and clients that find no room
//
// # Progress
//
// Nearly all decisions need no entry: Decide reads the client's cell, and charges it.
//
//   - A denial is wait-free but for the length of a search in the index, and writes its count. Only if
//     somebody charged the client between the look and the lock, it is found under the lock.
//   - An admission holds the shard's lock for a few stores.
//   - Everything else holds it for as long as it takes to open one client's entry, to work on
//     it and to pack it. Passes over the table hold it for holdSlots clients at a time.
//   - No insert moves more than moveStep places of the index.
//
// A lock holder does no I/O and waits for nobody.
package table
