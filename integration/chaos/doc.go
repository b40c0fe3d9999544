// Command chaos runs a cluster of real processes in network namespaces, lets seeded faults
// befall it under load, and judges what the cluster did.
//
//	go run ./integration/chaos -seeds 3 -for 2m
//
// Each run has 3 to 5 daemons, as a mesh or on an external NATS server. Its faults are kills,
// freezes, rolling restarts, cuts of every kind, lost packets, narrow links, late messages, a
// full disk, and clocks that are set. The seed draws them all, so one seed repeats one plan; the
// scheduler of the machine still has its say in the outcome.
//
// A run fails if one of these does not hold:
//
//   - E, the excess of every client at every admission, is within the bound for what happened;
//   - the excess of every client of a bounded limit is within its cap, whatever happened;
//   - some node exports a bound of at least E, or says that it is degraded;
//   - after each fault the nodes find each other again, and at the end they agree;
//   - no decision and no /readyz of a node that runs takes over a second;
//   - goroutines, descriptors and memory end where they began;
//   - every limit that a node took over is in force everywhere.
//
// It needs Linux, and iproute2 and nftables (`make chaos` installs those of Debian). A user other
// than root needs user namespaces. Everything happens in namespaces of its own, which end with it.
package main
