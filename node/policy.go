package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// What a limit is: package limit has these types, and here they have their short names.
type (
	// Policy is one named limit.
	Policy = limit.Policy
	// Override replaces a limit's policy for some of its clients.
	Override = limit.Override
	// Calendar is a unit of calendar time.
	Calendar = limit.Calendar
	// Algorithm is how a limit counts what its clients use.
	Algorithm = limit.Algorithm
	// Consistency says how far a limit's counts travel.
	Consistency = limit.Consistency
	// Access says whether a limit limits at all.
	Access = limit.Access
	// OnIsolation says what a limit does while nodes of the cluster cannot hear each other.
	OnIsolation = limit.OnIsolation
	// IDs says what a limit takes its clients' ids for.
	IDs = limit.IDs
	// Right is what a node may admit to a client of a bounded limit by itself, in units.
	Right = limit.Right
	// RosterStats say who shares bounded limits.
	RosterStats = limit.Roster
	// FieldError says which field of a configuration or policy is at fault, and why.
	FieldError = limit.FieldError
)

// The values of a Policy's fields, see package limit.
const (
	GCRA          = limit.GCRA
	FixedWindow   = limit.FixedWindow
	SlidingWindow = limit.SlidingWindow

	Eventual = limit.Eventual
	Local    = limit.Local
	Bounded  = limit.Bounded

	Limited   = limit.Limited
	Unlimited = limit.Unlimited
	Blocked   = limit.Blocked

	IsolationKeep   = limit.IsolationKeep
	IsolationShare  = limit.IsolationShare
	IsolationOpen   = limit.IsolationOpen
	IsolationClosed = limit.IsolationClosed

	IDsBytes   = limit.IDsBytes
	IDsAddress = limit.IDsAddress
)

// Caps and defaults of a Policy, see package limit.
const (
	MaxResolution       = limit.MaxResolution
	MaxOverrides        = limit.MaxOverrides
	MaxClientID         = limit.MaxClientID
	DefaultHold         = limit.DefaultHold
	MaxHold             = limit.MaxHold
	NoHold              = limit.NoHold
	DefaultMaxOvershoot = limit.DefaultMaxOvershoot
	DefaultIPv6Prefix   = limit.DefaultIPv6Prefix

	// MaxRoster caps Config.Roster.
	MaxRoster = lending.MaxRoster
)
