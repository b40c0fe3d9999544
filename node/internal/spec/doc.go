// Package spec defines how people write limits down: the fields of a limit in HTTP bodies
// and configuration files, and the reading of single values. So all interfaces accept the
// same, and refuse it in the same words.
//
// An interface makes a [Value], the tree of its document, from JSON ([ParseJSON]) or
// another format. A [Reader] then fills fields from the tree. It goes on after a fault, to
// report all of them at once. It names each fault by its path in the document, such as
// overrides[1].cidr. node.Policy.Validate judges whether a policy makes sense.
//
// # What a reader refuses
//
// Reading is strict, because a limit that somebody misspelt would let everybody pass in silence:
//
//   - a name that no field has, with the nearest known name;
//   - a field that stands twice, since readers of JSON and YAML disagree on which one counts;
//   - null, since it could mean "none" or "the default";
//   - a value of another type, such as a number in quotes;
//   - fields that contradict each other, such as block: true beside a limit.
//
// # Two forms of one limit
//
// [Limit] is the written form, and node.Policy is the form that a node takes. [LimitOf] and
// [Limit.Policy] turn one into the other and back without loss. So the answer to a GET is a body
// for a PUT.
package spec
