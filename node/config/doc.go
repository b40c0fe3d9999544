// Package config gathers the daemon's settings from a YAML file, environment variables
// and flags. Environment variables override the file, and flags override both.
//
// Every setting has one key. The file uses the key itself. The environment variable is
// RATELIMITD_ and the key in capitals. The flag is the key with dashes for underscores. The
// file also has limits, which maps the name of a limit to the fields of PUT /v1/limits/NAME:
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
// Reading is strict. An unknown or repeated key, a key without a value, and a value that
// does not fit are errors. The error says where the fault stands and what would be right.
// Do not use the settings after an error. The reader follows aliases, up to a cap, and
// refuses merge keys and tags.
//
// A limit may build on another one of the file, in any order. The limit "default" has two
// spellings. The keys limit, window, burst and max_overshoot, which environment and flags
// override, are the fields of limits.default. The built-in values hold only if a file has no
// limits.default.
//
// Nothing reads the settings again by itself. [Watch] tells when the file changes.
package config
