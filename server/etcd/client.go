// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
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
	client.KV = inProcess.KV
	client.Lease = inProcess.Lease
	client.Watcher = inProcess.Watcher
	client.Maintenance = inProcess.Maintenance
	client.Cluster = inProcess.Cluster
	client.Auth = inProcess.Auth

	k := &kubernetes.Client{Client: client}
	k.Kubernetes = k
	return k, nil
}
