// Package embednats runs a NATS server inside the process, for clusters of rate
// limiters that have no NATS server of their own.
//
// It comes in two shapes. Alone, the server opens no port at all and is reached in
// process only. With a cluster address, servers in several processes form a mesh:
// each relays what its own process publishes to all others, over one TCP connection
// for each pair. One reachable route is enough to find the whole mesh, two survive
// the loss of one; a server's own address among the routes is fine, so every node
// can have the same list. Up to some thirty nodes a mesh is simpler than servers of
// their own; beyond that, three to five external NATS servers carry less traffic.
//
// What a node publishes here is replicated state that repairs itself, so the server
// is set up to drop rather than to stall: no JetStream, no storage, no signals, no
// files, no monitoring port.
//
// # Who may connect
//
// The process itself, by [Server.InProcess], with a password drawn at random at each
// start that no TCP connection is accepted with. Others only through
// [Config.ClientListen], and servers only through [Config.ClusterListen]. Whoever
// can join the mesh can publish as anyone: set [Config.RoutePassword], and keep the
// port off public networks, since routes are not encrypted.
package embednats
