// Package embednats runs a NATS server inside the process, for clusters of rate
// limiters that have no NATS server of their own.
//
// It has two shapes. Alone, the server opens no port, and only the process itself reaches
// it. With a cluster address, servers in several processes form a mesh: each relays the
// messages of its own process to all others, over one TCP connection for each pair.
//
// One reachable route is enough to find the whole mesh; two survive the loss of one. A
// server's own address may be among its routes, so every node can have the same list. Up to
// about thirty nodes, a mesh is simpler than separate servers. Beyond that, three to five
// external NATS servers carry less traffic.
//
// Nodes publish replicated state, which repairs itself. So the server drops messages rather
// than stall. It has no JetStream, no storage, no signals, no files, and no monitoring port.
//
// # Who may connect
//
// The process itself connects by [Server.InProcess]. The server draws a password for that at
// each start, and accepts it on no TCP connection. Other clients connect only through
// [Config.ClientListen], and other servers only through [Config.ClusterListen].
//
// What nodes say has an account of its own, which NATS keeps apart from all else. The process and
// the mesh are in it. A client of ClientListen is if it presents [NodeToken], and can then speak
// for the node of that name alone. All other clients are in a second account, in which
// [Server.InProcessApp] answers them. Whoever joins the mesh can publish as anyone: set
// [Config.RoutePassword], and [Config.ClusterTLS] where others can listen.
package embednats
