// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// newClient returns a client whose calls are function calls into server. It is an ordinary client of the socket, which
// never connects, with the parts that do the work exchanged: a client that is made for calls in the process alone has no
// endpoints, and k8s.io/apiserver asks each endpoint for its version before it turns on consistent reads from its cache.
func newClient(server *etcdserver.EtcdServer, endpoint string, logger *zap.Logger) (*kubernetes.Client, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("make etcd client for %s: %w", endpoint, err)
	}
	_ = client.Watcher.Close()
	_ = client.Lease.Close()

	inProcess := v3client.New(server)
	client.KV = unlessEnded{inProcess.KV}
	client.Lease = inProcess.Lease
	client.Watcher = inProcess.Watcher
	client.Maintenance = inProcess.Maintenance
	client.Cluster = inProcess.Cluster
	client.Auth = inProcess.Auth

	k := &kubernetes.Client{Client: client}
	k.Kubernetes = k
	return k, nil
}

// unlessEnded does not begin what nobody waits for any more, as a client of a connection does not. The server itself may
// take a write whose context has ended.
type unlessEnded struct{ clientv3.KV }

func (u unlessEnded) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return u.KV.Put(ctx, key, value, opts...)
}

func (u unlessEnded) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return u.KV.Delete(ctx, key, opts...)
}

func (u unlessEnded) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	if err := ctx.Err(); err != nil {
		return clientv3.OpResponse{}, err
	}
	return u.KV.Do(ctx, op)
}

func (u unlessEnded) Txn(ctx context.Context) clientv3.Txn {
	return transaction{u.KV.Txn(ctx), ctx.Err}
}

// transaction is not committed once ended is an error.
type transaction struct {
	clientv3.Txn
	ended func() error
}

func (t transaction) If(cs ...clientv3.Cmp) clientv3.Txn {
	return transaction{t.Txn.If(cs...), t.ended}
}
func (t transaction) Then(ops ...clientv3.Op) clientv3.Txn {
	return transaction{t.Txn.Then(ops...), t.ended}
}
func (t transaction) Else(ops ...clientv3.Op) clientv3.Txn {
	return transaction{t.Txn.Else(ops...), t.ended}
}

func (t transaction) Commit() (*clientv3.TxnResponse, error) {
	if err := t.ended(); err != nil {
		return nil, err
	}
	return t.Txn.Commit()
}
