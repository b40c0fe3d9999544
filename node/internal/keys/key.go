package keys

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrNoKey says that a request does not have what its key is made of.
var ErrNoKey = errors.New("the request has no key")

// Missing is an ErrNoKey that a client may read: what it lacks.
type Missing string

func (e Missing) Error() string { return string(e) }

// Is makes it an ErrNoKey.
func (e Missing) Is(target error) bool { return target == ErrNoKey }

// Key finds the client of a request of type R. The zero Key finds none. Immutable; safe for
// concurrent use.
type Key[R any] struct {
	find    func(R) (string, error)
	address func(R) (netip.Addr, error) // of a key that is an address
	fault   error
}

// Zero reports whether it is the zero Key.
func (k Key[R]) Zero() bool { return k.find == nil && k.fault == nil }

// Fault is what was wrong when the key was made.
func (k Key[R]) Fault() error { return k.fault }

// Find returns the client of a request. The error is ErrNoKey if the request lacks it.
func (k Key[R]) Find(r R) (string, error) {
	if k.fault != nil {
		return "", k.fault
	}
	return k.find(r)
}

// ByAddress makes a key of addresses in canonical form. fault is what is wrong with it.
func ByAddress[R any](address func(R) (netip.Addr, error), fault error) Key[R] {
	return Key[R]{address: address, fault: fault}.IPv6(IPv6Bits)
}

// IPv6 is the key with another number of bits by which IPv6 addresses count, 1 to 128.
func (k Key[R]) IPv6(bits int) Key[R] {
	if k.address == nil || bits < 1 || bits > 128 {
		k.fault = errors.Join(k.fault, fmt.Errorf("IPv6(%d) must be of a key of addresses, and from 1 to 128", bits))
		return k
	}
	k.find = func(r R) (string, error) {
		addr, err := k.address(r)
		if err != nil {
			return "", err
		}
		return Network(addr, bits), nil
	}
	return k
}

// ByValue makes a key of a name from what a function finds. An empty value is none.
func ByValue[R any](name string, find func(R) (string, error), fault error) Key[R] {
	k := Key[R]{fault: errors.Join(fault, NameFault(name))}
	if find == nil {
		k.fault = errors.Join(k.fault, errors.New("ByFunc must have a function"))
		return k
	}
	k.find = func(r R) (string, error) {
		value, err := find(r)
		switch {
		case err != nil:
			return "", err
		case value == "":
			return "", Missing("the request has no " + name)
		}
		return Marked(name, value), nil
	}
	return k
}

// NameFault says what is wrong with the name of a key.
func NameFault(name string) error {
	ok := name != "" && len(name) <= MaxValue
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("the name %q must be 1 to %d of A-Z, a-z, 0-9, -, _ and the dot", name, MaxValue)
	}
	return nil
}

// Single is the one value that a request, or whatever what calls it, has under a name.
func Single(what, name string, values []string) (string, error) {
	switch {
	case len(values) > 1:
		return "", Missing("the " + what + " has " + name + " more than once")
	case len(values) == 0 || values[0] == "":
		return "", Missing("the " + what + " has no " + name)
	default:
		return values[0], nil
	}
}

// Text is a value of a context as the text that it counts by, "" if it is none.
func Text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case fmt.Stringer:
		return v.String()
	default:
		return ""
	}
}

// All makes a key of several together. A request that lacks one of them has no key.
func All[R any](keys []Key[R]) Key[R] {
	return Key[R]{fault: several("Join", keys), find: func(r R) (string, error) {
		parts := make([]string, len(keys))
		for i, k := range keys {
			part, err := k.find(r)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return Join(parts...), nil
	}}
}

// FirstOf makes a key of the first that a request has.
func FirstOf[R any](keys []Key[R]) Key[R] {
	return Key[R]{fault: several("FirstOf", keys), find: func(r R) (string, error) {
		for _, k := range keys {
			if found, err := k.find(r); !errors.Is(err, ErrNoKey) {
				return found, err
			}
		}
		return "", ErrNoKey
	}}
}

func several[R any](what string, keys []Key[R]) error {
	var faults []error
	if len(keys) == 0 {
		faults = append(faults, errors.New(what+" must have keys"))
	}
	for i, k := range keys {
		switch {
		case k.fault != nil:
			faults = append(faults, k.fault)
		case k.Zero():
			faults = append(faults, fmt.Errorf("key %d of %s is the zero Key", i, what))
		}
	}
	return errors.Join(faults...)
}
