package lending

import (
	"bytes"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// leastHold is the least time between agreement on a roster and a share that is larger for it, so that
// nodes know of limits that somebody set right before. Raising it lets new nodes begin later. Lowering it
// trusts that changes of limits travel faster.
const leastHold = int64(2e9)

// hold is how long a loan of any bounded limit lasts, by its lender.
func (h *Holdings) hold() int64 {
	hold := leastHold
	for _, l := range h.limits.All() {
		rules := l.At(h.Now()).Rules
		for i := range rules {
			if rules[i].Bounded {
				hold = max(hold, rules[i].Shares.Epoch())
			}
		}
	}
	return hold
}

// Settle puts into force what is known of the roster, and reports whether beats have something new to
// say. It keeps the roster for the next run first, and lowers a share before others hear of it. It also
// lets loans go back that nobody needs. ready says that this node knows the limits of its cluster. Call
// it once a second, from one goroutine.
func (h *Holdings) Settle(ready bool) (news bool) {
	h.table.AskBack(h.Now())
	own := h.Own(h.Now())
	h.mu.Lock()
	hold := int64(0)
	if !h.roll.opened || len(h.roll.until) > 0 {
		hold = h.hold()
	}
	h.roll.look(own, hold, ready)
	roster, text := h.roll.roster(), h.roll.save()
	said := deltasync.Roll{Digest: h.roll.sum(), Open: h.roll.opened, Names: h.roll.enrolled()}
	left := h.roll.gone[h.roll.self]
	h.mu.Unlock()
	if len(said.Names) == 0 || h.cfg.Alone {
		return false
	}
	if !h.keep(text) && !left {
		return false
	}
	if was := h.divisions.Roster(); !was.Same(roster) {
		h.divisions = h.divisions.Then(rights.Division{From: own, Roster: roster})
		h.roster.Store(roster)
		h.table.Divide(h.divisions)
	}
	was := h.told.Swap(&said)
	if news = was.Digest != said.Digest || was.Open != said.Open; news && was.Digest != 0 {
		h.cfg.Log.Info("the roster of bounded limits changed", "members", h.Roster().Members, "struck_off", h.Roster().StruckOff, "uses_its_shares", said.Open)
	}
	if news && left {
		h.cfg.Log.Error("this node was struck off the roster of bounded limits: it uses no share of them any more; start it under another name")
	}
	return news
}

// keep keeps the roster for the next run, if it changed.
func (h *Holdings) keep(text []byte) bool {
	if h.cfg.Keep == nil || bytes.Equal(text, h.kept) {
		return true
	}
	err := h.cfg.Keep(text)
	if err == nil {
		h.kept = text
	} else if !h.failing {
		h.cfg.Log.Error("the roster of bounded limits could not be kept: it stays as it was until it can be", "error", err)
	}
	h.failing = err != nil
	return err == nil
}

// StrikeOff takes a node off the roster for good: its share goes to the others. It must be dead, or be
// this one. It reports whether that was news. The next Settle puts it into force.
func (h *Holdings) StrikeOff(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.roll.gone[name]; !known {
		return false
	}
	return h.roll.strikeOff(name, h.Own(h.Now()))
}

// Roll implements deltasync.Roller.
func (h Lender) Roll() deltasync.Roll { return *h.told.Load() }

// HeardRoll implements deltasync.Roller.
func (h Lender) HeardRoll(node string, r deltasync.Roll) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roll.hear(node, r, h.Own(h.Now()))
}

// Roster is what this node knows.
func (h *Holdings) Roster() limit.Roster {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := limit.Roster{Members: h.roll.names(false), StruckOff: h.roll.names(true), Open: h.roll.opened}
	if !r.Open {
		r.WaitsFor = h.roll.waitsFor()
	}
	return r
}
