// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/bootstrap"
	"github.com/stoa-project/stoa/server/storage"
)

// maintenance is how often the objects of flow control are put right while the server runs.
const maintenance = time.Minute

// defaults makes the default objects of a server.
type defaults struct {
	seeder  *bootstrap.Seeder
	objects []bootstrap.Object
	// first is the outcome of the first attempt, which runs while the stores are made.
	first chan error
}

// startDefaults begins to make the default objects. trust is what extension servers
// learn about clients.
func startDefaults(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, clients *storage.Clients, trust map[string]string) (*defaults, error) {
	objects, err := bootstrap.Objects(trust)
	if err != nil {
		return nil, fmt.Errorf("default objects: %w", err)
	}
	d := &defaults{
		seeder: &bootstrap.Seeder{
			Scheme: c.types.scheme, Options: config.RESTOptionsGetter,
			Client: func(ctx context.Context, transport storagebackend.TransportConfig) (*clientv3.Client, error) {
				client, err := clients.Client(ctx, transport)
				if err != nil {
					return nil, err
				}
				return client.Client, nil
			},
			Serves: func(resource schema.GroupVersionResource) bool { return serves(c.Groups, config, resource) },
		},
		objects: objects,
		first:   make(chan error, 1),
	}
	go func() { d.first <- d.seeder.Run(ctx, d.objects) }()
	return d, nil
}

// hook lets the server be ready once there are namespaces, and goes on until all
// objects are there. It never fails: that would end the process, where a full
// database, for one, must not.
func (d *defaults) hook(ctx genericapiserver.PostStartHookContext) error {
	err := <-d.first
	if err != nil {
		logger := klog.FromContext(ctx)
		namespaces := bootstrap.Only(d.objects, "")
		namespaces = slices.DeleteFunc(namespaces, func(o bootstrap.Object) bool { return o.Resource.Resource != "namespaces" })
		_ = wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
			err := d.seeder.Run(ctx, namespaces)
			if err != nil && ctx.Err() == nil {
				logger.Error(err, "Could not make the system namespaces, trying again")
			}
			return err == nil, nil
		})
	}
	go d.maintain(ctx, err)
	return nil
}

// maintain tries until all objects are there, less and less often, and then keeps
// those of flow control.
func (d *defaults) maintain(ctx context.Context, err error) {
	logger := klog.FromContext(ctx)
	backoff := wait.Backoff{Duration: retryInterval, Factor: 2, Steps: 7, Cap: maintenance}
	for err != nil {
		logger.Error(err, "Could not make the default objects, trying again")
		if !sleep(ctx, backoff.Step()) {
			return
		}
		err = d.seeder.Run(ctx, d.objects)
	}
	flow := bootstrap.Only(d.objects, flowcontrolv1.GroupName)
	for sleep(ctx, maintenance) {
		if err := d.seeder.Run(ctx, flow); err != nil && ctx.Err() == nil {
			logger.V(2).Info("Could not maintain the objects of flow control", "err", err)
		}
	}
}

// sleep returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
