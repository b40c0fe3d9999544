// Package spec defines how people write limits down: the fields of a limit in HTTP bodies
// and configuration files, and the reading of single values. So all interfaces accept the
// same, and refuse it in the same words.
//
// An interface makes a [Value], the tree of its document, from JSON ([ParseJSON]) or
// another format. A [Reader] then fills fields from the tree. It goes on after a fault, to
// report all of them at once. It names each fault by its path in the document, such as
// overrides[1].cidr. node.Policy.Validate judges whether a policy makes sense.
package spec
