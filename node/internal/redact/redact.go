// Package redact hides the names of clients from people who may see how much they use, but not
// who they are.
package redact

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// key is made once a process, so that all its doors give a client the same made-up name. A plain
// hash would hide nothing, because anybody can guess ids and try them.
var key = sync.OnceValue(func() []byte {
	k := make([]byte, 16)
	_, _ = rand.Read(k) // never fails
	return k
})

// Names is whether names are hidden. The zero value shows them.
type Names bool

// Of is the client's name, or a made-up one that stays the same until the process ends.
func (hidden Names) Of(client string) string {
	if !hidden {
		return client
	}
	h := hmac.New(sha256.New, key())
	h.Write([]byte(client))
	return "redacted-" + hex.EncodeToString(h.Sum(nil)[:6])
}
