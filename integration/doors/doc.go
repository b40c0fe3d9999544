// Package doors runs the front doors of a node in the frameworks and behind the proxies that
// people have: what docs/doors.md shows is compiled and run here. It is a module of its own,
// because it needs many frameworks, and Caddy and nginx: `make doors-check`.
package doors
