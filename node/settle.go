package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Settle implements deltasync.Store.
func (n store) Settle(_ int64, s deltasync.Settlement) deltasync.Settled {
	return deltasync.Settled{ID: s.ID}
}

// Settlements implements deltasync.Store.
func (n store) Settlements(int64, int) []deltasync.Settlement { return nil }

// SettlementAnswered implements deltasync.Store.
func (n store) SettlementAnswered(crdt.Replica, deltasync.Settled) {}
