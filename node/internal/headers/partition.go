package headers

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// partitionBytes is how long a partition key is. Raising it makes answers longer; lowering it gives
// two clients one key: with 9 bytes, two of a billion share one with a chance of one in ten thousand.
const partitionBytes = 9

// Partition makes the partition keys (pk) of fields, so that a program which acts for several clients
// can tell their quotas apart. A key tells nobody who the client is. Nodes of one secret make the
// same ones. Without a secret there are none.
type Partition []byte

// Keys are the keys for n decisions of a request, nil for none. n other decisions than the request
// has limits have no keys: nobody knows whose they are.
func (p Partition) Keys(q *node.Request, n int) []string {
	if len(p) == 0 || n != 1+len(q.Also) {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		client := q.Client
		if i > 0 {
			client = cmp.Or(q.Also[i-1].Client, client)
		}
		all[i] = p.Key(client)
	}
	return all
}

// Key is a client's key in base64.
func (p Partition) Key(client string) string {
	h := hmac.New(sha256.New, p)
	h.Write([]byte(client))
	return base64.StdEncoding.EncodeToString(h.Sum(nil)[:partitionBytes])
}
