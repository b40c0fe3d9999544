package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// nodeKeys is the list of -node-keys.
type nodeKeys struct {
	file string
	text []byte // as it was read at the start
	self string
	own  ed25519.PublicKey
	held *node.Keyring
}

// readNodeKeys gives the node its own key, nil for none, and the list of all keys.
func (p *plan) readNodeKeys(private []byte) error {
	s := p.settings
	if private != nil {
		key, err := deltasync.ParseNodeKey(private)
		if err != nil {
			return at(s, "node_key_file", "%s %w", s.NodeKeyFile, err)
		}
		p.node.NodeKey = key
	}
	if s.NodeKeys == "" {
		return nil
	}
	if s.NodeKeyFile == "" {
		return needs(s, "node_keys", s.NodeKeys, "node_key_file", "")
	}
	if private == nil {
		return nil // its fault is told
	}
	text, err := config.Content(s.NodeKeys)
	if err != nil {
		return at(s, "node_keys", "%w", err)
	}
	k := &nodeKeys{file: s.NodeKeys, text: text, self: s.Name, held: new(node.Keyring)}
	if k.self == "" {
		k.self = node.DefaultName()
	}
	k.own, _ = p.node.NodeKey.Public().(ed25519.PublicKey)
	if err := k.take(text); err != nil {
		return at(s, "node_keys", "%s: %w", s.NodeKeys, err)
	}
	p.nodeKeys, p.node.NodeKeys = k, k.held
	return nil
}

// errNotListed is the fault of a list of somebody else's nodes.
var errNotListed = errors.New("does not list this node with the public half of its key, so others would refuse what it says")

// take puts a list in force, if it can be read and has this node.
func (k *nodeKeys) take(text []byte) error {
	list, err := deltasync.ParseNodeKeys(text)
	switch {
	case err != nil:
		return err
	case !list.Names(k.self, k.own):
		return errNotListed
	}
	k.held.Replace(list)
	return nil
}

// watch takes the list anew when its file changes, until ctx is done. With any fault the last good
// one goes on.
func (k *nodeKeys) watch(ctx context.Context, log *slog.Logger) {
	if k == nil {
		return
	}
	go config.Watch(ctx, k.file, k.text, 0, func(text []byte, _ time.Time) {
		if err := k.take(text); err != nil {
			log.Error("changed keys of nodes cannot be used: the last good ones go on", "file", k.file, "error", oneLine(err))
			return
		}
		log.Info("the keys of nodes changed", "file", k.file, "nodes", len(k.held.List()))
	})
}
