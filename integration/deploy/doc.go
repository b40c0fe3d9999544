// Package deploy tests the files in deploy/ as far as a machine without containers can: each
// is read by the types, or the parser, of the program that it is for. It is a module of its
// own, since those are heavy: `make doors-check`.
package deploy
