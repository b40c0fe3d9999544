// Package config gathers the daemon's settings from where operators put them: a
// YAML file, environment variables and flags, each of which overrides the one before.
//
// Every setting has one key. In the file it is that key, in the environment
// RATELIMITD_ and the key in capitals, as a flag the key with dashes. Beside them the
// file has limits, which maps the name of a limit to the fields that
// PUT /v1/limits/NAME takes:
//
//	http: 0.0.0.0:8080
//	nats: [nats://nats-1:4222, nats://nats-2:4222]
//	limits:
//	  default: {limit: 100, window: 60}
//	  login:   {limit: 5, window: 1m, burst: 2}
//	  api:
//	    use: default
//	    overrides:
//	      - {client: alice, limit: 1000}
//	      - {prefix: "bot-", block: true}
//
// Reading is strict. A key that is unknown, repeated or without a value, or a value
// that does not fit, is an error that says where it stands and what would be right;
// the settings are not to be used then. Aliases are followed, up to a cap; merge keys
// and tags are refused.
//
// A limit may use another one of the file, in any order, as a base. The limit "default"
// has two spellings: the keys limit, window, burst and max_overshoot, which environment
// and flags override, are the same as the fields of limits.default. Only where a file
// has no limits.default do the built-in values hold.
//
// Settings are read once. [Watch] tells of a file that changes, by looking at it every
// two seconds; what to do then is the program's affair.
package config
