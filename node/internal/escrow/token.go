package escrow

import (
	"errors"
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Token names a reservation in the whole cluster.
type Token struct {
	Of crdt.Replica // the incarnation that charged it; not 0
	ID uint64       // unique for that incarnation
}

// ErrToken is ParseToken's answer to a text that is none.
var ErrToken = errors.New("escrow: not the token of a reservation")

// String is the token as clients know it: both numbers in base 36.
func (t Token) String() string {
	return strconv.FormatUint(uint64(t.Of), 36) + "." + strconv.FormatUint(t.ID, 36)
}

// ParseToken reads what String wrote.
func ParseToken(text string) (Token, error) {
	left, right, _ := strings.Cut(text, ".")
	replica, err1 := strconv.ParseUint(left, 36, 64)
	id, err2 := strconv.ParseUint(right, 36, 64)
	if err1 != nil || err2 != nil || replica == 0 {
		return Token{}, ErrToken
	}
	return Token{Of: crdt.Replica(replica), ID: id}, nil
}
