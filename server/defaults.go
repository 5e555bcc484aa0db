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
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/bootstrap"
	"github.com/stoa-project/stoa/server/storage"
)

// maxRetry is the longest time between two attempts to make the default objects.
const maxRetry = time.Minute

// defaults makes the default objects of a server.
type defaults struct {
	seeder  *bootstrap.Seeder
	objects []bootstrap.Object
	// trust is what extension servers learn about clients now; changed says that it is
	// something else than before.
	trust   func() (map[string]string, error)
	changed chan struct{}
	// first is the outcome of the first attempt, which runs while the stores are made.
	first chan error
	// interval is how often the objects are put right.
	interval time.Duration
}

var _ dynamiccertificates.Listener = (*defaults)(nil)

// startDefaults begins to make the default objects. trust is what extension servers
// learn about clients at the moment.
func startDefaults(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, clients *storage.Clients, trust func() (map[string]string, error)) (*defaults, error) {
	objects, err := bootstrap.Objects()
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
		objects:  append(objects, bootstrap.Tracking(time.Now())),
		trust:    trust,
		changed:  make(chan struct{}, 1),
		first:    make(chan error, 1),
		interval: c.Maintenance,
	}
	go func() { d.first <- d.run(ctx, d.objects) }()
	return d, nil
}

// Enqueue implements dynamiccertificates.Listener: authorities have changed.
func (d *defaults) Enqueue() {
	select {
	case d.changed <- struct{}{}:
	default: // somebody has said so
	}
}

// run makes objects be there, and what extension servers learn be right.
func (d *defaults) run(ctx context.Context, objects []bootstrap.Object) error {
	trust, err := d.trust()
	if err != nil {
		return err
	}
	return d.seeder.Run(ctx, append(slices.Clone(objects), bootstrap.Trust(trust)))
}

// hook lets the server be ready once there are namespaces, and goes on until all
// objects are there. It never fails: that would end the process, where a full
// database, for one, must not.
func (d *defaults) hook(ctx genericapiserver.PostStartHookContext) error {
	err := <-d.first
	if err != nil {
		logger := klog.FromContext(ctx)
		namespaces := d.namespaces()
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

func (d *defaults) namespaces() []bootstrap.Object {
	return slices.DeleteFunc(bootstrap.Only(d.objects, ""), func(o bootstrap.Object) bool { return o.Resource.Resource != "namespaces" })
}

// maintain tries until all objects are there, less and less often, and then keeps
// those of flow control, the system namespaces and what extension servers learn.
func (d *defaults) maintain(ctx context.Context, err error) {
	logger := klog.FromContext(ctx)
	backoff := wait.Backoff{Duration: retryInterval, Factor: 2, Steps: 7, Cap: maxRetry}
	for err != nil {
		logger.Error(err, "Could not make the default objects, trying again")
		if !sleep(ctx, backoff.Step()) {
			return
		}
		err = d.run(ctx, d.objects)
	}
	kept := append(bootstrap.Only(d.objects, flowcontrolv1.GroupName), d.namespaces()...)
	d.prune(ctx)
	tick := time.NewTicker(d.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.changed:
			if err := d.run(ctx, nil); err != nil && ctx.Err() == nil {
				logger.Error(err, "Could not tell extension servers which authorities sign clients now, trying again within a minute")
			}
		case <-tick.C:
			if err := d.run(ctx, kept); err != nil && ctx.Err() == nil {
				logger.V(2).Info("Could not maintain the objects of flow control, the system namespaces, and what extension servers learn about clients", "err", err)
			}
			d.prune(ctx)
		}
	}
}

// prune deletes the objects of flow control that are none of the default ones any more.
func (d *defaults) prune(ctx context.Context) {
	if err := d.seeder.Prune(ctx, d.objects); err != nil && ctx.Err() == nil {
		klog.FromContext(ctx).V(2).Info("Could not delete objects of flow control that are not needed any more", "err", err)
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
