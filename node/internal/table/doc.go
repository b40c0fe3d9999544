// Package table holds the clients of all limits: for each client and limit one Entry, which
// counts what the client used.
//
// A Table has one Shard for each partition of the key space. A shard is the unit of locking,
// of flushing, of digests and of repair: everything that happens to an entry happens under
// its shard's lock. A decision locks one shard, opens the client's entry, reads and charges
// its states, and notes what has to be sent. The protocol collects, merges and exports the
// entries as rows (deltasync.Rows and deltasync.Summaries), shard by shard. Sweep forgets
// clients that nobody can tell from unknown ones any more.
//
// How entries lie in memory is the package's own business: callers hold an *Entry only while
// they hold its shard's lock, and reach its contents by methods.
package table
