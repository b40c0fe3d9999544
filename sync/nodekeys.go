package sync

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// With the cluster key, a program can make messages in any node's name, unless the NATS server or a
// signature says whose they are. A node that has a key of its own signs all that it sends (Ed25519ph,
// RFC 8032). Nodes that have the list of all public keys refuse what is not signed by its sender.

// NodeKeys are the public keys by which nodes tell who speaks. They can be replaced while nodes use
// them. The zero value knows nobody, so all is refused. Safe for concurrent use; looking a key up
// takes no lock.
type NodeKeys struct{ list atomic.Pointer[NodeKeyList] }

// NodeKeyList has the public keys of all nodes by their names. A node may have two, so that it can
// change its key: list the new one, restart the node with it, and take the old one off.
type NodeKeyList map[string][]ed25519.PublicKey

// mostNodeKeys is how many keys a node may have. More would let a forged message cost as many looks,
// and are of no use; one would leave a node alone while its key changes.
const mostNodeKeys = 2

// Replace puts a list in the place of the last one. The caller must not change it any more.
func (k *NodeKeys) Replace(list NodeKeyList) { k.list.Store(&list) }

// List is the list in force. The caller must not change it.
func (k *NodeKeys) List() NodeKeyList {
	if list := k.list.Load(); list != nil {
		return *list
	}
	return nil
}

// ParseNodeKeys reads a list: a node's name and its public key in base64 on each line. Empty lines
// and lines that begin with # say nothing. The error names each line at fault.
func ParseNodeKeys(text []byte) (NodeKeyList, error) {
	list := NodeKeyList{}
	var faults []error
	refuse := func(line int, why string) { faults = append(faults, fmt.Errorf("line %d: %s", line, why)) }
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 2 || !ValidName(words[0]) {
			refuse(n, "must be a node's name and its public key")
			continue
		}
		node := words[0]
		key, err := base64.StdEncoding.DecodeString(words[1])
		switch {
		case err != nil || len(key) != ed25519.PublicKeySize:
			refuse(n, fmt.Sprintf("the key of %s is none: must be 32 bytes in base64", node))
		case list.has(key):
			refuse(n, fmt.Sprintf("the key of %s is listed before", node))
		case len(list[node]) == mostNodeKeys:
			refuse(n, fmt.Sprintf("%s has more than %d keys", node, mostNodeKeys))
		default:
			list[node] = append(list[node], key)
		}
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, err)
	}
	if len(list) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("lists no node"))
	}
	return list, errors.Join(faults...)
}

// has reports whether somebody has a key.
func (l NodeKeyList) has(key ed25519.PublicKey) bool {
	for node := range l {
		if l.Names(node, key) {
			return true
		}
	}
	return false
}

// Names reports whether a key is one of a node's.
func (l NodeKeyList) Names(node string, key ed25519.PublicKey) bool {
	return slices.ContainsFunc(l[node], func(have ed25519.PublicKey) bool { return have.Equal(key) })
}

// signatureField is the map's last key in a message that is signed, the highest of one byte, so that
// it comes behind all of fields. A receiver without a list skips it.
const signatureField = 127

// signatureHead is what stands before a signature: its key, and the header of a byte string.
var signatureHead = [...]byte{signatureField, msgpcode.Bin8, ed25519.SignatureSize}

// signatureSize is what a signature takes in a message.
const signatureSize = len(signatureHead) + ed25519.SignatureSize

// covers is what a signature is made of: the receiver, for whom else a node with the cluster key
// could seal a message anew, and all bytes before the signature.
func covers(to crdt.Replica, body []byte) []byte {
	h := sha512.New()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(to)))
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// signing is how messages of a cluster are signed: the hash comes first, so that a message is read
// once and copied never. The cluster's name keeps messages of one cluster from being those of another.
func signing(cluster string) *ed25519.Options {
	return &ed25519.Options{Hash: crypto.SHA512, Context: "distributed-rate-limiter message in cluster " + cluster}
}

// signer signs messages. The zero value signs none.
type signer struct {
	key     ed25519.PrivateKey
	options *ed25519.Options
}

// sign returns the signature of what comes before it.
func (s *signer) sign(to crdt.Replica, body []byte) []byte {
	signature, err := s.key.Sign(nil, covers(to, body), s.options)
	if err != nil {
		panic("sync: sign: " + err.Error()) // only if the options were wrong
	}
	return signature
}

// verifier tells whether messages are signed by their senders. The zero value takes all for good.
// Safe for concurrent use.
type verifier struct {
	keys    *NodeKeys
	options *ed25519.Options
}

// verify looks whether a message with a good tag is signed by the node that its subject names.
func (v *verifier) verify(node string, to crdt.Replica, data []byte) error {
	if v.keys == nil {
		return nil
	}
	body := data[:len(data)-tagSize]
	at := len(body) - ed25519.SignatureSize
	keys := v.keys.List()[node]
	if len(keys) == 0 || at < len(signatureHead) || !bytes.Equal(body[at-len(signatureHead):at], signatureHead[:]) {
		return ErrSignature
	}
	digest := covers(to, body[:at])
	for _, key := range keys {
		if ed25519.VerifyWithOptions(key, digest, body[at:], v.options) == nil {
			return nil
		}
	}
	return ErrSignature
}

// errNodeKey never repeats any part of what was read.
var errNodeKey = errors.New("is no key of a node: must be a seed of 32 bytes in base64, as ratelimitctl node-key makes it")

// ParseNodeKey reads a node's own key: a seed of Ed25519 in base64. The error shows nothing of it.
func ParseNodeKey(text []byte) (ed25519.PrivateKey, error) {
	seed, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errNodeKey
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// RefuseNodeKeys says what is wrong with the keys of a node, before others with the same list find it
// out: that they hear nothing of it. The reason is empty if nothing is.
func RefuseNodeKeys(node string, key ed25519.PrivateKey, all *NodeKeys) (field string, value any, reason string) {
	if n := len(key); n > 0 && n != ed25519.PrivateKeySize {
		return "node_key", fmt.Sprintf("of %d bytes", n), fmt.Sprintf("must have %d", ed25519.PrivateKeySize)
	}
	if all == nil {
		return "", nil, ""
	}
	if len(key) == 0 {
		return "node_keys", "set", "needs the key of this node: others that have the list refuse what it does not sign"
	}
	if public, _ := key.Public().(ed25519.PublicKey); !all.List().Names(node, public) {
		return "node_keys", "set", "must list this node, " + node + ", with the public half of its key"
	}
	return "", nil, ""
}

// FormatNodeKey is a key as ParseNodeKey reads it, and the line of ParseNodeKeys for its public half.
func FormatNodeKey(node string, key ed25519.PrivateKey) (private, line string) {
	public, _ := key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(key.Seed()) + "\n", node + " " + base64.StdEncoding.EncodeToString(public) + "\n"
}
