// Package spec is how limits are written down: the fields of a limit in HTTP bodies
// and in configuration files, and the reading of single values, so that every door
// accepts the same things and refuses them in the same words.
//
// A door makes a [Value], the tree of its document, from JSON ([ParseJSON]) or from
// whatever else it reads. A [Reader] then fills fields from the tree. It goes on after
// a fault, to tell all of them at once, and names each by its path in the document,
// such as overrides[1].cidr. Whether a policy makes sense is for node.Policy.Validate.
package spec
