package headers

import (
	"cmp"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// maxItems caps the limits that a field lists. Raising it lets an answer outgrow what proxies
// take as a field, some 4 to 8 KiB; lowering it hides limits from clients that heed them.
const maxItems = 32

// maxInteger is the largest Integer of a structured field (RFC 9651, section 3.3.1).
const maxInteger = 999_999_999_999_999

// AppendPolicy appends the value of RateLimit-Policy for these decisions: what each limit
// allows, as "day";q=1000;w=86400. A limit without a quota has no item, so nothing is
// appended if none has one. A window that is no whole number of seconds is left out. Of
// decisions of one name only the tightest has an item. pk has the partition keys of the decisions, see Partition.Keys, or is nil. AppendPolicy allocates
// only if b has no room.
func AppendPolicy(b []byte, ds []node.Decision, pk []string) []byte {
	return appendItems(b, ds, pk, false)
}

// AppendLimits appends the value of RateLimit for these decisions: what each limit has left,
// and the seconds until there is more, as "day";r=12;t=30.
//
// t is the wait if the limit denies, and otherwise the time until the whole quota is there: a
// client may take r/t for a rate, and the time until the next unit would make that too high.
// If a limit admitted with nothing left, its RetryAfter is the time until the next unit, if
// the caller found it out, see Complete. There is no t if the limit denies for ever, and none
// for a limit that admits beside one that denies. No t is above a year. So none is later than
// the Retry-After of the limit that binds.
func AppendLimits(b []byte, ds []node.Decision, pk []string) []byte {
	return appendItems(b, ds, pk, true)
}

// Complete finds out when the next unit comes, for each limit whose last unit the request q
// took, and puts that into the decision's RetryAfter: the decision itself does not know. ds are
// the decisions of q's limits, its own first, or the one that binds. They are for the fields
// alone from then on.
func Complete(q *node.Request, ds []node.Decision, ask func(node.Request) node.Decision) {
	for i := range ds {
		if !exhausted(&ds[i]) {
			continue
		}
		one := node.Request{Client: q.Client, Limit: q.Limit, Policy: q.Policy, Peek: true}
		if i > 0 {
			also := q.Also[i-1]
			one.Client = cmp.Or(also.Client, one.Client)
			if also.Limit != "" || also.Policy != nil {
				one.Limit, one.Policy = also.Limit, also.Policy
			}
		}
		ds[i].RetryAfter = ask(one).RetryAfter
	}
}

// Incomplete reports whether Complete has anything to find out.
func Incomplete(ds []node.Decision) bool {
	for i := range ds {
		if exhausted(&ds[i]) {
			return true
		}
	}
	return false
}

// exhausted reports whether a request took the last unit, and nobody knows when the next comes.
func exhausted(d *node.Decision) bool {
	return d.Allowed && d.Burst > 0 && d.Remaining <= 0 && d.RetryAfter <= 0
}

// until is t in seconds, 0 for none. denied says that some limit of the request denies.
func until(d *node.Decision, denied bool) int64 {
	switch {
	case !d.Allowed && Never(d.RetryAfter), denied && d.Allowed:
		return 0
	case !d.Allowed, d.Remaining == 0 && d.RetryAfter > 0:
		return max(1, Seconds(min(d.RetryAfter, year)))
	default:
		return Seconds(min(d.ResetAfter, year))
	}
}

// appendItems appends a List of a String for each limit, with what it has left or what it allows.
func appendItems(b []byte, ds []node.Decision, pk []string, left bool) []byte {
	denied := false
	for i := range ds {
		denied = denied || !ds[i].Allowed
	}
	items := 0
	for i := range ds {
		d := &ds[i]
		if d.Burst == 0 || !tightest(ds, i) || items == maxItems {
			continue
		}
		if items > 0 {
			b = append(b, ", "...)
		}
		items++
		if b = appendString(b, d.Limit); left {
			b = appendLeft(b, d, denied)
		} else {
			b = appendQuota(b, d)
		}
		if pk != nil {
			b = append(append(append(b, ";pk=:"...), pk[i]...), ':')
		}
	}
	return b
}

func appendQuota(b []byte, d *node.Decision) []byte {
	b = appendInteger(append(b, ";q="...), d.Quota)
	if d.Window >= time.Second && d.Window%time.Second == 0 {
		b = appendInteger(append(b, ";w="...), int64(d.Window/time.Second))
	}
	return b
}

// appendLeft appends what a limit has left. denied says that some limit of the request denies.
func appendLeft(b []byte, d *node.Decision, denied bool) []byte {
	b = appendInteger(append(b, ";r="...), d.Remaining)
	if t := until(d, denied); t > 0 {
		b = appendInteger(append(b, ";t="...), t)
	}
	return b
}

// tightest reports whether no other decision of that name binds more: the first that denies
// for the longest, else the first that has the least left.
func tightest(ds []node.Decision, i int) bool {
	for j := range ds {
		if j != i && ds[j].Burst > 0 && ds[j].Limit == ds[i].Limit && (Tighter(&ds[j], &ds[i]) || j < i && !Tighter(&ds[i], &ds[j])) {
			return false
		}
	}
	return true
}

// Tighter reports whether a binds more than b: it denies and b does not, or denies for longer, or has
// less left.
func Tighter(a, b *node.Decision) bool {
	if a.Allowed != b.Allowed {
		return b.Allowed
	}
	if a.RetryAfter != b.RetryAfter {
		return a.RetryAfter > b.RetryAfter
	}
	return a.Remaining < b.Remaining
}

// appendString appends a String of a structured field, which is ASCII (RFC 9651, section
// 4.1.6). Each byte that cannot be in one becomes a question mark.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func appendInteger(b []byte, n int64) []byte {
	return strconv.AppendInt(b, min(max(n, 0), maxInteger), 10)
}
