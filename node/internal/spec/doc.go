// Package spec is how limits are written down: the fields of a limit in HTTP bodies
// and in configuration files, and the reading of single values, so that every door
// accepts the same things and refuses them in the same words.
package spec
